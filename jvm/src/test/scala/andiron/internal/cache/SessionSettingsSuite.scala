package andiron.internal.cache

import java.nio.file.{Files, Path}

import andiron.testing.Sparks._
import andiron._
import andiron.testing.{KeyedFileSystem, SuiteRunner}

import org.apache.spark.sql.{Encoders, Row, SparkSession}
import org.apache.spark.sql.functions.col
import org.junit.runner.RunWith
import org.scalatest.{BeforeAndAfterAll, BeforeAndAfterEach}
import org.scalatest.funsuite.AnyFunSuite

/** Settings of a session, with which `spark.read` reads, are those of its catalogs. */
@RunWith(classOf[SuiteRunner])
class SessionSettingsSuite extends AnyFunSuite with BeforeAndAfterAll with BeforeAndAfterEach {
  private var spark: SparkSession = _
  private var directory: Path = _

  override def beforeAll(): Unit = {
    directory = Files.createTempDirectory("session")
    spark = start("local[2]", KeyedFileSystem.setting, AndironConf.FailureMemory.key -> "0ms")
  }

  override def afterAll(): Unit = {
    stop(spark)
    delete(directory)
  }

  override def beforeEach(): Unit = {
    KeyedFileSystem.keys.clear()
    KeyedFileSystem.opened.clear()
  }

  /** Written once: a version must not change. */
  private def uri(name: String): String = {
    val file = directory.resolve(name)
    if (!Files.exists(file)) source(directory, name, s"bytes of $name")
    KeyedFileSystem.uri(file.toUri.toString)
  }

  private def catalog(session: SparkSession, name: String): Catalog[Bytes] =
    VersionedData.catalog(session, "keyed", Seq(Version(name, uri(name))), Loader.bytes)

  private def read(session: SparkSession, catalog: Catalog[Bytes], version: String): String =
    session.range(1).selectExpr(s"'$version' as version")
      .mapWithVersion(catalog, col("version"))((_: Row, value: Bytes) => text(value))(Encoders.STRING).head()

  private def session(key: String): SparkSession = {
    val session = spark.newSession()
    session.conf.set("fs.keyed.key", key)
    session
  }

  test("spark.conf.set, SQL's SET and the settings of a new session reach the source, on driver and executors") {
    KeyedFileSystem.keys.add("right")
    val (byConf, bySql) = (session("right"), spark.newSession())
    bySql.sql("SET fs.keyed.key=right")
    for ((session, name) <- Seq(byConf -> "by-conf", bySql -> "by-sql")) {
      val made = catalog(session, name)
      assert(read(session, made, name) == s"bytes of $name")
      made.close()
    }
    val e = intercept[SourceException](catalog(spark.newSession(), "by-none"))
    assert(e.getMessage.contains("no key"), e.getMessage)
  }

  test("two sessions read one name, each with its own key, whichever was first") {
    KeyedFileSystem.keys.add("first")
    KeyedFileSystem.keys.add("second")
    val (one, two) = (session("first"), session("second"))
    val (of1, of2) = (catalog(one, "both"), catalog(two, "both"))
    assert(read(one, of1, "both") == "bytes of both" && read(two, of2, "both") == "bytes of both")
    assert(KeyedFileSystem.opened.contains("first both") && KeyedFileSystem.opened.contains("second both"), KeyedFileSystem.opened)
    KeyedFileSystem.keys.remove("second")
    assert(intercept[SourceException](catalog(two, "both")).getMessage.contains("'second' may not read"))
    catalog(one, "both").close()
    of1.close()
    of2.close()
  }

  test("a key that is renewed is the next catalog's; one that has expired fails its own catalog's next load only") {
    KeyedFileSystem.keys.add("monday")
    val renewing = session("monday")
    val old = catalog(renewing, "renewed")
    KeyedFileSystem.keys.clear()
    KeyedFileSystem.keys.add("tuesday")
    assert(causeOf[SourceException](intercept[Exception](read(renewing, old, "renewed"))).getMessage.contains("'monday' may not read"))
    renewing.conf.set("fs.keyed.key", "tuesday")
    val fresh = catalog(renewing, "renewed")
    assert(read(renewing, fresh, "renewed") == "bytes of renewed")
    old.close()
    fresh.close()
  }

  test("catalogs that share bytes by their checksum load them with whichever key is good") {
    for (good <- Seq("older", "newer")) {
      val name = s"shared-$good"
      val version = Version(name, uri(name)).withBytes(s"bytes of $name".length.toLong).withChecksum(sum(s"bytes of $name"))
      KeyedFileSystem.keys.clear()
      KeyedFileSystem.keys.add(good)
      val catalogs = Seq("older", "newer").map(key => VersionedData.catalog(session(key), "keyed", Seq(version), Loader.bytes))
      val openers = catalogs.map(_.cursor())
      openers.foreach(_.contains(name))
      assert(text(openers.head.advance(name)) == s"bytes of $name")
      assert(KeyedFileSystem.opened.contains(s"$good $name"), KeyedFileSystem.opened)
      openers.foreach(_.close())
      catalogs.foreach(_.close())
    }
  }

  private def sum(text: String): String = {
    val digest = java.security.MessageDigest.getInstance("SHA-256").digest(text.getBytes("UTF-8"))
    "sha256:" + digest.map(b => f"$b%02x").mkString
  }
}
