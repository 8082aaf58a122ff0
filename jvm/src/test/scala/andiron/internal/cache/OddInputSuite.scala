package andiron.internal.cache

import java.io.InputStream
import java.nio.file.{Files, Path}
import java.util.concurrent.atomic.AtomicInteger

import andiron.testing.Sparks._
import andiron._
import andiron.testing.SuiteRunner

import org.apache.spark.sql.{Encoder, Encoders, SparkSession}
import org.apache.spark.sql.functions.{col, lit}
import org.junit.runner.RunWith
import org.scalatest.{BeforeAndAfterAll, BeforeAndAfterEach}
import org.scalatest.funsuite.AnyFunSuite

/** The errors of the suite's loaders, and the number of their runs. */
object OddInputSuite {
  val calls = new AtomicInteger

  /** An exception whose causes form a ring. */
  def ring(): Exception = {
    val (first, second) = (new IllegalStateException("first"), new IllegalStateException("second"))
    first.initCause(second)
    second.initCause(first)
    first
  }

  final class Mute extends RuntimeException {
    override def getMessage: String = throw new IllegalStateException("no message today")
  }

  final class Unserialisable extends RuntimeException("has a thread") {
    val thread: Thread = Thread.currentThread()
  }
}

@RunWith(classOf[SuiteRunner])
class OddInputSuite extends AnyFunSuite with BeforeAndAfterAll with BeforeAndAfterEach {
  import OddInputSuite._

  private implicit val text: Encoder[String] = Encoders.STRING
  private var spark: SparkSession = _
  private var directory: Path = _

  override def beforeAll(): Unit = {
    directory = Files.createTempDirectory("odd")
    spark = start("local[4]", AndironConf.FailureMemory.key -> "0", AndironConf.BudgetBytes.key -> "1m", AndironConf.WaitTimeout.key -> "2s",
      AndironConf.LoadTimeout.key -> "20s")
  }

  override def afterAll(): Unit = {
    stop(spark)
    delete(directory)
  }

  override def afterEach(): Unit = eventually(s"nothing left: ${stats(spark)}")(
    Seq("leases", "waiting", "cursors", "residentBytes", "reservedBytes").forall(stats(spark)(_) == 0))

  private def withCatalog[V, A](dataset: String, loader: Loader[V], versions: Version*)(body: Catalog[V] => A): A = {
    val catalog = VersionedData.catalog(spark, dataset, versions, loader)
    try body(catalog)
    finally catalog.close()
  }

  private def read[V](catalog: Catalog[V], version: String): V = {
    val lease = catalog.lease(version)
    try lease.value
    finally lease.close()
  }

  private val names = Seq("\u0000", "a\u0000b", "line\nbreak", "tab\tbed", "\ud83d\udd25\ud83e\udeb5", "\u202eright to left", " ", "'quoted\"", "%s%n{}", "../../etc/passwd",
    "a=b\nspark.andiron.cache.budgetBytes=1", "x" * (1 << 20))

  test("version names of any characters and of 1 MB meet their rows, as bytes and as objects") {
    val versions = names.zipWithIndex.map { case (name, i) => Version(name, source(directory, s"named$i", s"value $i")) }
    val rows = spark.createDataset(names)
    def expected(name: String) = s"${name.hashCode}:value ${names.indexOf(name)}"
    withCatalog("any names", Loader.bytes, versions: _*) { catalog =>
      val found = rows.mapWithVersion(catalog, col("value"))((name, bytes: Bytes) => s"${name.hashCode}:${andiron.testing.Sparks.text(bytes)}").collect()
      assert(found.toSet == names.map(expected).toSet)
    }
    withCatalog("any names", Loader.objects[String]((_: Version, in: InputStream) => new String(in.readAllBytes())), versions: _*) { catalog =>
      val found = rows.mapWithVersion(catalog, col("value"))((name, value: String) => s"${name.hashCode}:$value").collect()
      assert(found.toSet == names.map(expected).toSet)
    }
  }

  test("a dataset's name may have any characters too, and errors show it") {
    for (dataset <- names) withCatalog(dataset, Loader.bytes, Version("v", source(directory, "v", "x"))) { catalog =>
      val lease = catalog.lease("v")
      assert(andiron.testing.Sparks.text(lease.value) == "x")
      lease.close()
      val message = intercept[UnknownVersionException](catalog.lease("w")).getMessage
      assert(message.contains(dataset.take(20)))
    }
  }

  test("errors about a version with a name of 1 MB stay readable") {
    val long = "x" * (1 << 20)
    withCatalog("long", Loader.objects[String]((_: Version, _) => throw new IllegalStateException("no")),
      Version(long, source(directory, "long", "x")), Version("short", source(directory, "short", "x"))) { catalog =>
      val messages = Seq(
        intercept[UnknownVersionException](catalog.lease("w")),
        intercept[UnknownVersionException](catalog.lease("y" * (1 << 20))),
        intercept[LoadException](catalog.lease(long))).map(_.getMessage)
      messages.foreach(message => assert(message.length < 4000, message.take(100)))
    }
    val e = intercept[SettingException](withCatalog(long, Loader.bytes, Version(long, ""))(_ => ()))
    assert(e.getMessage.length < 4000)
  }

  test("ten thousand versions in a catalog: made, leased from and closed within seconds") {
    val file = source(directory, "common", "x" * 1000)
    val versions = (0 until 10000).map(i => Version(f"v$i%05d", file))
    val began = System.nanoTime()
    withCatalog("many", Loader.bytes, versions: _*) { catalog =>
      assert(catalog.versions.size == 10000)
      val some = (0 until 10000 by 50).map(i => f"v$i%05d")
      val rows = spark.createDataset(some).repartition(4)
      assert(rows.mapWithVersion(catalog, col("value"))((_, bytes: Bytes) => bytes.size.toString).collect().toSeq == some.map(_ => "1000"))
      assert(stats(spark)("residentVersions") == 200)
    }
    assert(stats(spark)("residentVersions") == 0)
    assert((System.nanoTime() - began) / 1000000000L < 60)
  }

  test("exceptions that cannot be printed, serialised or followed reach driver and tasks as typed errors") {
    val odd = Seq[() => Throwable](() => ring(), () => new Mute, () => new Unserialisable, () => new RuntimeException(null: String),
      () => new RuntimeException("long " + "y" * (4 << 20)), () => new RuntimeException("half \ud800 a pair\u0000"))
    odd.zipWithIndex.foreach { case (throwable, i) =>
      withCatalog(s"odd$i", Loader.custom[String]((_: Version) => throw throwable())((_: String) => 1L), Version("v", "nowhere")) { catalog =>
        withClue(s"exception $i") {
          val e = intercept[LoadException](catalog.lease("v"))
          assert(e.code == 107)
          val failed = intercept[Exception](spark.range(4).mapWithVersion(catalog, lit("v"))((_, value: String) => value).collect())
          assert(failed.getMessage.contains("LoadException"))
        }
      }
    }
    withCatalog("even", Loader.custom[String]((_: Version) => "fine")((_: String) => 1L), Version("v", "nowhere"))(c => assert(read(c, "v") == "fine"))
  }

  test("a loader that interrupts itself neither harms its own result nor the next load of its thread") {
    val loader = Loader.custom[String] { (v: Version) =>
      Thread.currentThread().interrupt()
      v.name
    }((_: String) => 1L)
    val versions = (0 until 12).map(i => Version(s"v$i", "nowhere"))
    withCatalog("interrupted", loader, versions: _*)(catalog => versions.foreach(v => assert(read(catalog, v.name) == v.name)))
    withCatalog("after", Loader.bytes, Version("v", source(directory, "after", "x")))(c => assert(read(c, "v") != null))
  }

  test("a loader that leases a version of another dataset gets it") {
    withCatalog("inner", Loader.bytes, Version("v", source(directory, "inner", "within"))) { inner =>
      val loader = Loader.custom[String] { (_: Version) =>
        val lease = inner.lease("v")
        try andiron.testing.Sparks.text(lease.value) + " and without"
        finally lease.close()
      }((_: String) => 1L)
      withCatalog("outer", loader, Version("v", "nowhere"))(outer => assert(read(outer, "v") == "within and without"))
    }
  }

  test("a loader that waits for its own version gives up after the wait timeout, and so do those that wait for it") {
    var self: Catalog[String] = null
    OddInputSuite.calls.set(0)
    val loader = Loader.custom[String] { (_: Version) =>
      if (OddInputSuite.calls.incrementAndGet() == 1) self.lease("v").value else "a second time"
    }((_: String) => 1L)
    withCatalog("self", loader, Version("v", "nowhere")) { catalog =>
      self = catalog
      val before = stats(spark)("loadFailures")
      val e = intercept[AndironException](catalog.lease("v"))
      assert(Set(107, 109)(e.code), e.toString)
      eventually("the first load has failed")(stats(spark)("loadFailures") > before)
      assert(read(catalog, "v") == "a second time")
    }
  }

  private def withCache[A](settings: (String, String)*)(body: (SparkSession, Catalog[Bytes]) => A): A = {
    stop(spark)
    try withSpark("local[2]", settings :+ (AndironConf.FailureMemory.key -> "0"): _*) { other =>
      body(other, VersionedData.catalog(other, "files", (0 until 4).map(i => Version(s"v$i", source(directory, s"file$i", "x" * 1000))), Loader.bytes))
    }
    finally beforeAll()
  }

  test("the disk limit is kept by removing files that nobody can read any more") {
    withCache(AndironConf.DiskBytes.key -> "2500", AndironConf.BudgetBytes.key -> "2000") { (other, catalog) =>
      for (_ <- 0 until 2; i <- 0 until 4) {
        val lease = catalog.lease(s"v$i")
        assert(lease.value.size == 1000)
        lease.close()
        assert(stats(other)("diskBytes") <= 2500)
      }
    }
  }

  test("a version that is beyond the disk limit names dataset, version, source and setting") {
    withCache(AndironConf.DiskBytes.key -> "1500") { (other, catalog) =>
      val first = catalog.lease("v0")
      val e = intercept[StoreException](catalog.lease("v1"))
      assert(e.code == 112)
      Seq("files", "v1", "file1", AndironConf.DiskBytes.key).foreach(part => assert(e.getMessage.contains(part), e.getMessage))
      assert(first.value.getByte(999) == 'x')
      first.close()
      assert(stats(other)("leases") == 0)
    }
  }

  test("a cache directory that vanishes under a running application is a typed error, and what is leased stays") {
    val root = directory.resolve("vanishing")
    withCache(AndironConf.Directory.key -> root.toString) { (_, catalog) =>
      val lease = catalog.lease("v0")
      delete(root)
      val e = intercept[StoreException](catalog.lease("v1"))
      Seq("files", "v1", root.toString, AndironConf.Directory.key).foreach(part => assert(e.getMessage.contains(part), e.getMessage))
      assert(lease.value.getByte(999) == 'x' && read(catalog, "v0") != null)
      lease.close()
    }
  }

  test("a cache directory that cannot be made is a typed error that names it") {
    val file = Files.write(directory.resolve("a file"), Array[Byte](1))
    for (path <- Seq(file.toString, s"$file/below", "/proc/andiron", s"$directory/line\nkeepWarm=perhaps", "relative/../.."))
      withCache(AndironConf.Directory.key -> path) { (_, catalog) =>
        val e = intercept[AndironException](catalog.lease("v0"))
        assert(e.isInstanceOf[StoreException] || e.isInstanceOf[SettingException], s"$path: $e")
      }
    assert(intercept[SettingException](withCache(AndironConf.Directory.key -> "\u0000")((_, _) => ())).getMessage.contains(AndironConf.Directory.key))
  }
}
