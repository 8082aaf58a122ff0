package andiron

import java.nio.file.{Files, Path}
import java.util.concurrent.TimeUnit

import andiron.testing.Sparks._
import andiron.testing.SuiteRunner

import org.apache.spark.sql.{Encoders, Row, SparkSession}
import org.apache.spark.sql.functions.col
import org.junit.runner.RunWith
import org.scalatest.BeforeAndAfterAll
import org.scalatest.funsuite.AnyFunSuite

/** Several executors on this machine, each a process of its own, with the plugin. */
@RunWith(classOf[SuiteRunner])
class ClusterSuite extends AnyFunSuite with BeforeAndAfterAll {
  private var spark: SparkSession = _
  private var directory: Path = _
  private val names = (1 to 5).map(i => s"v$i")

  override def beforeAll(): Unit = {
    directory = Files.createTempDirectory("cluster")
    spark = start("local-cluster[2,2,2048]", "spark.executor.memory" -> "1g", "spark.speculation" -> "true", AndironConf.BudgetBytes.key -> "40m")
  }

  override def afterAll(): Unit = {
    stop(spark)
    delete(directory)
  }

  private def make(dataset: String, bytes: Int = 10 << 20): Catalog[Bytes] = VersionedData.catalog(spark, dataset,
    names.map(name => Version(name, source(directory, s"$dataset-$name", Array.fill[Byte](bytes)(name.last.toByte)))), Loader.bytes)

  private def executors: Seq[ExecutorCacheStats] = Andiron.cacheStats(spark).filter(stats => stats.executor != "driver" && !stats.isFinal)

  private def sum(catalog: Catalog[Bytes], rows: Long, pauseMillis: Long = 0): Long =
    spark.range(0, rows, 1, 16).selectExpr("id", "concat('v', id % 5 + 1) as version")
      .mapWithVersion(catalog, col("version")) { (row: Row, value: Bytes) =>
        if (pauseMillis > 0) Thread.sleep(pauseMillis)
        row.getLong(0) + value.getByte(value.size - 1)
      }(Encoders.scalaLong).collect().sum

  private def expected(rows: Long): Long = (0L until rows).map(i => i + '1' + i % 5).sum

  test("where there is room for all, each executor loads each version once, whatever the number of jobs") {
    val catalog = make("roomy", bytes = 7 << 20)
    eventually("both executors have had tasks of it", seconds = 60) {
      assert(sum(catalog, 20000) == expected(20000))
      executors.size == 2 && executors.forall(_("hits") > 0)
    }
    assert(sum(catalog, 20000) == expected(20000))
    eventually(s"two executors report: $executors")(executors.size == 2 && executors.forall(stats => stats("residentVersions") == 5 && stats("leases") == 0))
    executors.foreach(stats => assert(stats("loads") == 5 && stats("evictions") == 0, stats))
    catalog.close()
  }

  test("where there is not, each keeps the budget, and reports its figures") {
    val catalog = make("reported")
    assert(sum(catalog, 20000) == expected(20000))
    eventually(s"two executors report: $executors")(executors.size == 2 && executors.forall(stats => stats("loads") >= 10 && stats("leases") == 0))
    executors.foreach { stats =>
      assert(stats("residentBytes") <= (40 << 20) && stats("maxReservedBytes") <= (40 << 20) && stats("evictions") > 0, stats)
      assert(stats("overBudgetAdmissions") == 0 && stats("reapedLeases") == 0 && stats("callbackLeases") == 0, stats)
    }
    val started = System.nanoTime()
    catalog.close()
    println(s"a catalog of two executors closed in ${TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - started)} ms")
    eventually(s"nothing resident: $executors", seconds = 5)(executors.forall(_("residentBytes") == 0))
    val e = intercept[ReleasedException](sum(catalog, 10))
    assert(e.code == 113)
  }

  test("a task that runs while its catalog is closed gets a typed error on the driver") {
    val catalog = make("closing")
    @volatile var outcome: Throwable = null
    val job = new Thread(() => try sum(catalog, 4000, pauseMillis = 20): Unit catch { case e: Throwable => outcome = e })
    job.start()
    eventually("it runs")(executors.exists(_("leases") > 0))
    catalog.close()
    job.join(60000)
    assert(causeOf[ReleasedException](outcome).code == 113)
    eventually(s"nothing left: $executors")(executors.forall(stats => stats("residentBytes") == 0 && stats("leases") == 0))
  }

  test("a job survives the kill -9 of an executor, with the right result and nothing leaked in the others") {
    val catalog = make("killed")
    val pids = spark.sparkContext.parallelize(0 until 16, 16).map { _ => Thread.sleep(100); ProcessHandle.current().pid() }.distinct().collect()
    @volatile var outcome: Any = null
    val job = new Thread(() => outcome = try sum(catalog, 3200, pauseMillis = 5) catch { case e: Throwable => e })
    job.start()
    eventually("it runs")(executors.exists(_("leases") > 0))
    ProcessHandle.of(pids.head).get.destroyForcibly()
    job.join(120000)
    assert(outcome == expected(3200))
    catalog.close()
    assert(Andiron.cacheStats(spark).exists(_.isFinal), "the killed executor's figures are its final ones")
    eventually(s"nothing left: $executors")(executors.nonEmpty && executors.forall(stats => stats("residentBytes") == 0 && stats("leases") == 0))
  }

  test("cancelled jobs leave nothing leased") {
    val catalog = make("cancelled")
    for (_ <- 0 until 3) {
      val job = new Thread(() => {
        spark.sparkContext.setJobGroup("cancel", "cancel", interruptOnCancel = true)
        try sum(catalog, 16000, pauseMillis = 5): Unit
        catch { case _: Exception => }
      })
      job.start()
      Thread.sleep(700)
      spark.sparkContext.cancelJobGroup("cancel")
      job.join(60000)
    }
    spark.sparkContext.clearJobGroup()
    assert(sum(catalog, 2000) == expected(2000))
    catalog.close()
    eventually(s"nothing left: $executors")(executors.exists(_("loads") > 0) && executors.forall(stats => stats("residentBytes") == 0 && stats("leases") == 0))
  }
}
