package andiron.internal.cache

import java.nio.file.{Files, Path}

import andiron.testing.Sparks._
import andiron._
import andiron.testing.SuiteRunner

import org.apache.spark.sql.{Dataset, Encoders, Row, SparkSession}
import org.apache.spark.sql.functions.col
import org.junit.runner.RunWith
import org.scalatest.BeforeAndAfterAll
import org.scalatest.funsuite.AnyFunSuite

/** Catalogs that nothing can reach any more end, as Spark's broadcasts do. */
@RunWith(classOf[SuiteRunner])
class UnreachableSuite extends AnyFunSuite with BeforeAndAfterAll {
  private var directory: Path = _

  override def beforeAll(): Unit = directory = Files.createTempDirectory("unreachable")

  override def afterAll(): Unit = delete(directory)

  private def make(spark: SparkSession, name: String): Catalog[Bytes] =
    VersionedData.catalog(spark, name, Seq(Version("v", source(directory, name, name))), Loader.bytes)

  private def texts(spark: SparkSession, catalog: Catalog[Bytes]): Dataset[String] =
    spark.range(0, 4, 1, 4).selectExpr("'v' as version").mapWithVersion(catalog, col("version"))((_: Row, value: Bytes) => text(value))(Encoders.STRING)

  /** Makes catalogs, uses them in jobs, and keeps none. */
  private def use(spark: SparkSession, count: Int): Unit = (1 to count).foreach { i =>
    val catalog = make(spark, s"passing-$i")
    assert(texts(spark, catalog).head() == s"passing-$i")
  }

  private def eventuallyAfterCollection(what: => String)(condition: => Boolean): Unit = eventually(what, seconds = 60) {
    System.gc()
    Thread.sleep(100)
    condition
  }

  test("200 catalogs that were used and forgotten leave nothing; those that something reaches stay") {
    withSpark("local[2]") { spark =>
      val kept = make(spark, "kept")
      val planned = texts(spark, make(spark, "planned"))
      val withPolicy = make(spark, "policy").missing(Missing.Skip)
      Seq(texts(spark, kept), planned, texts(spark, withPolicy)).foreach(_.collect())
      val leases = make(spark, "leased").lease("v")
      use(spark, 200)
      // Versions that a lease holds outlive their catalog.
      eventuallyAfterCollection(s"four versions are left: ${stats(spark)}")(stats(spark)("openCatalogs") == 3 && stats(spark)("residentVersions") == 4)
      assert(text(leases.value) == "leased")
      leases.close()
      eventually(s"three are left: ${stats(spark)}")(stats(spark)("residentVersions") == 3)
      assert(planned.head() == "planned")
      assert(Seq(kept, withPolicy).map(catalog => texts(spark, catalog).head()) == Seq("kept", "policy"))
      assert(!kept.isClosed && !withPolicy.isClosed)
    }
  }

  test("executors learn of it") {
    withSpark("local-cluster[2,1,1024]") { spark =>
      def executors = Andiron.cacheStats(spark).filter(_.executor != "driver")
      val kept = make(spark, "kept-by-executors")
      use(spark, 10)
      texts(spark, kept).collect()
      eventually(s"they have had them: $executors")(executors.exists(_("loads") > 0))
      eventuallyAfterCollection(s"at most one is left in each: $executors") {
        executors.nonEmpty && executors.forall(stats => stats("openCatalogs") <= 1 && stats("residentVersions") <= 1)
      }
      assert(texts(spark, kept).head() == "kept-by-executors")
    }
  }

}
