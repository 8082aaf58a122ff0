package andiron

import java.nio.file.{Files, Path}
import java.util.concurrent.TimeUnit

import andiron.testing.Sparks._
import andiron.internal.cache.{DriverReports, ExecutorReport}
import andiron.testing.{Logged, SuiteRunner}

import org.apache.spark.sql.{Encoders, Row}
import org.apache.spark.sql.functions.{col, lit}
import org.junit.runner.RunWith
import org.scalatest.BeforeAndAfterAll
import org.scalatest.funsuite.AnyFunSuite

/** The API in applications that do not set spark.plugins. */
@RunWith(classOf[SuiteRunner])
class PluginlessSuite extends AnyFunSuite with BeforeAndAfterAll {
  private var directory: Path = _

  override def beforeAll(): Unit = directory = Files.createTempDirectory("pluginless")

  override def afterAll(): Unit = delete(directory)

  private def files(root: Path): Seq[String] = {
    val all = Files.walk(root)
    try all.toArray.toSeq.map(path => root.relativize(path.asInstanceOf[Path]).toString).filterNot(name => name.isEmpty || name.startsWith("."))
    finally all.close()
  }

  test("a job on several executors is right, the driver warns of the budget once, and no file outlives the executors") {
    val root = directory.resolve("cache")
    val (messages, _) = Logged.during(classOf[AndironPlugin].getName)(withSpark("local-cluster[2,1,1024]",
      "spark.plugins" -> "", "spark.executor.memory" -> "512m", AndironConf.Directory.key -> root.toString, AndironConf.BudgetBytes.key -> "1g") { spark =>
      def make(dataset: String) = VersionedData.catalog(spark, dataset,
        Seq("v0", "v1").map(name => Version(name, source(directory, s"$dataset-$name", s"$dataset of $name"))), Loader.bytes)
      val (first, second) = (make("first"), make("second"))
      val rows = spark.range(0, 200, 1, 8).selectExpr("id", "concat('v', id % 2) as version")
      for (catalog <- Seq(first, second)) {
        val found = rows.mapWithVersion(catalog, col("version"))((row: Row, value: Bytes) => s"${row.getLong(0)} ${text(value)}")(Encoders.STRING).collect()
        assert(found.toSet == (0 until 200).map(i => s"$i ${catalog.dataset} of v${i % 2}").toSet)
      }
      assert(Andiron.cacheStats(spark).forall(_.executor == "driver"))
      assert(files(root).exists(_.endsWith(".bytes")), files(root))
      first.close()
      assert(causeOf[ReleasedException](intercept[Exception](rows.mapWithVersion(first, col("version"))((_: Row, v: Bytes) => v.size)(Encoders.scalaLong))).code == 113)
    })
    assert(messages.count(_.contains(AndironConf.BudgetBytes.key)) == 1, messages)
    eventually(s"removed: ${files(root)}", seconds = 60)(files(root).isEmpty)
  }

  test("figures and executors of an application with the plugin end with it") {
    withSpark("local[2]", "spark.plugins" -> "andiron.AndironPlugin") { spark =>
      DriverReports.latest.get.receive(ExecutorReport("7", Seq("loads" -> 5L), known = 0, isLast = false))
      assert(Andiron.cacheStats(spark).exists(stats => stats.executor == "7" && stats("loads") == 5))
    }
    assert(DriverReports.latest.isEmpty)
    withSpark("local[2]") { spark =>
      val catalog = VersionedData.catalog(spark, "after", Seq(Version("v", source(directory, "after", "x"))), Loader.bytes)
      assert(spark.range(10).mapWithVersion(catalog, lit("v"))((_, value: Bytes) => value.size)(Encoders.scalaLong).collect().sum == 10)
      assert(Andiron.cacheStats(spark).map(_.executor) == Seq("driver"))
      val started = System.nanoTime()
      catalog.close()
      assert(System.nanoTime() - started < TimeUnit.SECONDS.toNanos(4), "it waited for executors of the application before")
    }
  }

  test("an old Java is refused before anything else is done") {
    val before = System.setProperty("java.specification.version", "11")
    try {
      val e = intercept[EnvironmentException](VersionedData.catalog(null, "old", Seq(Version("v", "nowhere")), Loader.bytes))
      assert(e.getMessage.contains("Java 17") && e.getMessage.contains("Java 11"))
    } finally System.setProperty("java.specification.version", before): Unit
  }
}
