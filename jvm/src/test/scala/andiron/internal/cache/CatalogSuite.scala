package andiron.internal.cache

import java.nio.file.{Files, Path}

import andiron.testing.Sparks._
import andiron._
import andiron.testing.SuiteRunner

import org.apache.spark.andironshim.Probes
import org.apache.spark.sql.{Encoders, SparkSession}
import org.apache.spark.sql.functions.lit
import org.junit.runner.RunWith
import org.scalatest.BeforeAndAfterAll
import org.scalatest.funsuite.AnyFunSuite

@RunWith(classOf[SuiteRunner])
class CatalogSuite extends AnyFunSuite with BeforeAndAfterAll {
  private var spark: SparkSession = _
  private var directory: Path = _
  private var file: String = _

  override def beforeAll(): Unit = {
    directory = Files.createTempDirectory("catalogs")
    spark = start("local[2]", AndironConf.FailureMemory.key -> "0")
    file = source(directory, "v", "value")
  }

  override def afterAll(): Unit = {
    stop(spark)
    delete(directory)
  }

  private def make(dataset: String, versions: Version*): Catalog[Bytes] = VersionedData.catalog(spark, dataset, versions, Loader.bytes)

  private def refused(dataset: String, versions: Version*)(parts: String*): Unit = {
    val e = intercept[SettingException](make(dataset, versions: _*))
    assert(e.code == 403)
    parts.foreach(part => assert(e.getMessage.contains(part), e.getMessage))
  }

  test("a dataset without a name and a catalog without versions are refused") {
    refused("", Version("v", file))("name")
    refused(null, Version("v", file))("name")
    refused("empty")("'empty'", "no versions")
  }

  test("versions without a name or source, or with the name of another, are refused") {
    refused("d", Version("v", file), Version("", file))("without a name")
    refused("d", Version(null, file))("without a name")
    refused("d", Version("v", file), null)("without a name")
    refused("d", Version("v", null))("'v'", "no source")
    refused("d", Version("v", file), Version("w", file), Version("v", file))("'v'", "more than once")
    refused("d", Version("v", file, bytes = Some(-1)))("-1")
  }

  test("versions are in the order of their UTF-8 bytes, which is the order of Spark's sort") {
    val names = Seq("b", "a", "Z", "é", "10", "9", "a b", "\uD83D\uDE00", "\uFFFD", "aa")
    val catalog = make("order", names.map(name => Version(name, file)): _*)
    val sorted = spark.createDataset(java.util.Arrays.asList(names: _*))(Encoders.STRING).sort("value").collect().toSeq
    assert(catalog.versions == sorted)
    catalog.close()
  }

  test("closing frees everything at once, twice is harmless, and what comes after is a typed error") {
    val catalog = make("closed", Version("v", file))
    val before = stats(spark)("residentBytes")
    val lease = catalog.lease("v")
    lease.close()
    assert(stats(spark)("residentBytes") == before + 5)
    val rows = spark.range(3).mapWithVersion(catalog, lit("v"))((_, value: Bytes) => value.size)(Encoders.scalaLong)
    catalog.close()
    catalog.close()
    assert(catalog.isClosed && stats(spark)("residentBytes") == before)
    assert(intercept[ReleasedException](catalog.lease("v")).code == 113)
    assert(intercept[ReleasedException](catalog.cursor()).getMessage.contains("'closed'"))
    assert(intercept[ReleasedException](spark.range(3).mapWithVersion(catalog, lit("v"))((_, value: Bytes) => value.size)(Encoders.scalaLong)).code == 113)
    assert(causeOf[ReleasedException](intercept[Exception](rows.collect())).code == 113)
  }

  test("what is leased stays until its lease ends, though the catalog is closed") {
    val before = stats(spark)("residentBytes")
    val catalog = make("leased", Version("v", file))
    val lease = catalog.lease("v")
    catalog.close()
    assert(text(lease.value) == "value")
    lease.close()
    assert(stats(spark)("residentBytes") == before)
  }

  test("errors of what was released or closed name dataset, version and source") {
    val catalog = make("named", Version("v", file), Version("w", source(directory, "w", "other")))
    def told(code: Int, version: String, from: Boolean = true)(action: => Any): Unit = {
      val e = intercept[ReleasedException](action)
      assert(e.code == code && e.getMessage.contains(s"version '$version' of dataset 'named'"), e.getMessage)
      if (from) assert(e.getMessage.contains(s"/$version"), e.getMessage)
    }
    val (lease, cursor, set) = (catalog.lease("v"), catalog.cursor(), catalog.acquireAll("v", "w"))
    val (leased, first, second) = (lease.value, cursor.advance("v"), cursor.advance("w"))
    told(114, "v")(first.getByte(0))
    Seq(lease, cursor, set).foreach(_.close())
    told(114, "v")(lease.value)
    told(114, "v")(leased.getByte(0))
    told(114, "w")(second.buffer(0, 1))
    told(114, "v")(set("w"))
    told(114, "w")(set("w"))
    told(114, "v")(cursor.advance("v"))
    val open = catalog.cursor()
    catalog.close()
    told(113, "w")(open.advance("w"))
    open.close()
    told(113, "v")(catalog.lease("v"))
    told(113, "w")(catalog.acquireAll("v", "w"))
    val unused = make("named", Version("v", file))
    unused.close()
    told(113, "v", from = false)(unused.lease("v"))
    val task = Probes.context()
    val over = make("named", Version("v", file))
    over.lease("v").close()
    Probes.within(task)(over.lease("v"))
    ExecutorCache.current().endTask(task.taskAttemptId())
    Probes.completeSilently(task)
    told(114, "v")(Probes.within(task)(over.lease("v")))
    assert(intercept[ReleasedException](Probes.within(task)(over.cursor())).getMessage.contains("dataset 'named'"))
    over.close()
  }

  test("a task cannot close a catalog") {
    val catalog = make("task", Version("v", file))
    val e = intercept[Exception](spark.sparkContext.parallelize(Seq(1)).foreach(_ => catalog.close()))
    assert(e.getMessage.contains("close it on the driver"))
    catalog.lease("v").close()
    catalog.close()
  }
}
