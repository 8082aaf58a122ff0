package andiron.internal.cache

import java.io.{IOException, InputStream}
import java.nio.file.{Files, Path}
import java.util.concurrent.atomic.AtomicInteger
import java.util.concurrent.{ConcurrentHashMap, CountDownLatch, TimeUnit}

import andiron.testing.Sparks._
import andiron._
import andiron.testing.SuiteRunner

import org.apache.hadoop.security.UserGroupInformation
import org.apache.spark.sql.{Encoders, SparkSession}
import org.apache.spark.sql.functions.lit
import org.junit.runner.RunWith
import org.scalatest.{BeforeAndAfterAll, BeforeAndAfterEach}
import org.scalatest.funsuite.AnyFunSuite

/** The state that loaders share with the suite: in local mode they run in one process, but are serialised. */
object LoaderSuite {
  val calls = new ConcurrentHashMap[String, AtomicInteger]
  val gates = new ConcurrentHashMap[String, CountDownLatch]

  def call(name: String): Int = calls.computeIfAbsent(name, _ => new AtomicInteger).incrementAndGet()
  def gate(name: String): CountDownLatch = gates.computeIfAbsent(name, _ => new CountDownLatch(1))
  final class Boom(message: String) extends IOException(message)
}

@RunWith(classOf[SuiteRunner])
class LoaderSuite extends AnyFunSuite with BeforeAndAfterAll with BeforeAndAfterEach {
  import LoaderSuite._

  private var spark: SparkSession = _
  private var directory: Path = _

  override def beforeAll(): Unit = {
    directory = Files.createTempDirectory("loaders")
    spark = start("local[4]", AndironConf.FailureMemory.key -> "0", AndironConf.BudgetBytes.key -> "10m", AndironConf.LoadTimeout.key -> "1s",
      AndironConf.LoaderThreads.key -> "2")
  }

  override def afterAll(): Unit = {
    stop(spark)
    delete(directory)
  }

  override def beforeEach(): Unit = {
    calls.clear()
    gates.clear()
  }

  override def afterEach(): Unit = {
    gates.values.forEach(gate => gate.countDown())
    eventually(s"nothing left: ${stats(spark)}")(
      Seq("leases", "waiting", "cursors", "residentBytes", "reservedBytes").forall(stats(spark)(_) == 0))
  }

  private def withCatalog[V, A](names: String*)(loader: Loader[V])(body: Catalog[V] => A): A = {
    val catalog = VersionedData.catalog(spark, "objects", names.map(name => Version(name, source(directory, name, s"value of $name"))), loader)
    try body(catalog)
    finally catalog.close()
  }

  private def read[V](catalog: Catalog[V], version: String): V = {
    val lease = catalog.lease(version)
    try lease.value
    finally lease.close()
  }

  test("an object is loaded once for all tasks, and is the same object in each") {
    val loader = Loader.objects[Object]((version: Version, in: InputStream) => { call(version.name); new String(in.readAllBytes()) })
    withCatalog("a", "b")(loader) { catalog =>
      val rows = spark.range(0, 1000, 1, 8).selectExpr("id", "case when id % 2 = 0 then 'a' else 'b' end as version")
      val seen = rows.mapWithVersion(catalog, rows("version"))((_, value: Object) => s"$value ${System.identityHashCode(value)}")(Encoders.STRING).collect().toSet
      assert(seen.size == 2 && seen.map(_.take(10)) == Set("value of a", "value of b"))
      assert(calls.get("a").get == 1 && calls.get("b").get == 1)
      assert(stats(spark)("residentObjectBytes") > 0)
    }
    assert(stats(spark)("residentObjectBytes") == 0)
  }

  test("a custom loader gets the version and needs no source that Hadoop knows") {
    val catalog = VersionedData.catalog(spark, "custom", Seq(Version("x", "jdbc:nowhere/table")), Loader.custom[String](v => s"${v.name}@${v.source}")(_ => 10L))
    assert(read(catalog, "x") == "x@jdbc:nowhere/table")
    assert(stats(spark)("residentBytes") == 10)
    catalog.close()
  }

  test("the size of an object is declared, or estimated by Spark") {
    withCatalog("declared")(Loader.objects[Array[Byte]]((_: Version, in) => in.readAllBytes(), (_: Array[Byte]) => 12345L)) { catalog =>
      read(catalog, "declared")
      assert(stats(spark)("residentBytes") == 12345)
    }
    withCatalog("estimated")(Loader.objects[Array[Byte]]((_: Version, _) => new Array[Byte](100000))) { catalog =>
      read(catalog, "estimated")
      val bytes = stats(spark)("residentBytes")
      assert(bytes > 100000 && bytes < 101000)
    }
  }

  test("a loader runs as the job's user and with its class loader, on a thread of Andiron's") {
    val loader = Loader.objects[String]((_: Version, _) =>
      s"${UserGroupInformation.getCurrentUser.getShortUserName} ${Thread.currentThread().getName.startsWith("andiron-loader-")} " +
        s"${Thread.currentThread().getContextClassLoader == null}")
    withCatalog("as")(loader) { catalog =>
      assert(read(catalog, "as") == s"${UserGroupInformation.getCurrentUser.getShortUserName} true false")
    }
    val other = UserGroupInformation.createRemoteUser("somebody")
    withCatalog("as-other")(loader) { catalog =>
      val value = other.doAs(new java.security.PrivilegedAction[String] { override def run(): String = read(catalog, "as-other") })
      assert(value == "somebody true false")
    }
  }

  test("a loader that throws once fails the tasks that wait, with its class and stack; the next request loads again") {
    val loader = Loader.objects[String]((v: Version, _) => if (call(v.name) == 1) throw new Boom("no luck") else "luck")
    withCatalog("once")(loader) { catalog =>
      val e = intercept[LoadException](read(catalog, "once"))
      assert(e.code == 107)
      Seq("'once'", "'objects'", directory.toString, "no luck").foreach(part => assert(e.getMessage.contains(part), e.getMessage))
      val cause = causeOf[Boom](e)
      assert(cause.getStackTrace.exists(_.getClassName.contains("LoaderSuite")))
      assert(read(catalog, "once") == "luck")
      assert(stats(spark)("loadFailures") >= 1)
    }
  }

  test("a loader that always throws fails the job with its own exception, on the driver too") {
    withCatalog("always")(Loader.objects[String]((_: Version, _) => throw new Boom("never"))) { catalog =>
      val e = intercept[Exception](
        spark.range(10).mapWithVersion(catalog, lit("always"))((_, value: String) => value)(Encoders.STRING).collect())
      assert(causeOf[Boom](e).getMessage == "never")
    }
  }

  test("fatal errors of a loader reach the tasks and end neither thread nor process") {
    val errors = Seq[() => Throwable](() => new NoSuchMethodError("gone"), () => new OutOfMemoryError("not really"), () => new StackOverflowError("deep"),
      () => new ThreadDeath, () => new ExceptionInInitializerError("first"), () => new InterruptedException("stop"))
    errors.zipWithIndex.foreach { case (error, i) =>
      withCatalog(s"fatal$i")(Loader.objects[String]((_: Version, _) => throw error())) { catalog =>
        val e = intercept[LoadException](read(catalog, s"fatal$i"))
        assert(e.getCause.getClass == error().getClass)
      }
    }
    withCatalog("after")(Loader.objects[String]((_: Version, _) => "fine"))(catalog => assert(read(catalog, "after") == "fine"))
  }

  test("a loader that returns null, a negative size or an error while sizing is an error") {
    withCatalog("null")(Loader.objects[String]((_: Version, _) => null)) { catalog =>
      assert(intercept[LoadException](read(catalog, "null")).getMessage.contains("null"))
    }
    withCatalog("negative")(Loader.objects[String]((_: Version, _) => "x", (_: String) => -5L)) { catalog =>
      assert(intercept[SettingException](read(catalog, "negative")).getMessage.contains("-5"))
    }
    withCatalog("sizing")(Loader.objects[String]((_: Version, _) => "x", (_: String) => throw new Boom("scales"))) { catalog =>
      assert(causeOf[Boom](intercept[LoadException](read(catalog, "sizing"))).getMessage == "scales")
    }
  }

  test("a loader that lies about its size is counted as what it is, and refused beyond the budget") {
    withCatalog("more")(Loader.objects[String]((_: Version, _) => "x", (_: String) => 9000000L)) { catalog =>
      assert(read(catalog, "more") == "x" && stats(spark)("residentBytes") == 9000000)
    }
    withCatalog("toomuch")(Loader.objects[String]((_: Version, _) => "x", (_: String) => 11L << 20)) { catalog =>
      val e = intercept[BudgetException](read(catalog, "toomuch"))
      assert(e.code == 102 && e.getMessage.contains(AndironConf.BudgetBytes.key))
    }
  }

  test("a loader that hangs times out, its late result is dropped and counted") {
    val loader = Loader.objects[String] { (v: Version, _) =>
      if (call(v.name) == 1) while (!gate(v.name).await(100, TimeUnit.MILLISECONDS)) {}
      "done"
    }
    withCatalog("hangs")(loader) { catalog =>
      val abandoned = stats(spark)("abandonedLoads")
      val e = intercept[LoadException](read(catalog, "hangs"))
      assert(e.code == 108 && e.getMessage.contains("hangs") && e.getMessage.contains(AndironConf.LoadTimeout.key))
      assert(stats(spark)("reservedBytes") > 0)
      assert(read(catalog, "hangs") == "done")
      gate("hangs").countDown()
      eventually("counted")(stats(spark)("abandonedLoads") == abandoned + 1)
    }
  }

  test("loaders that hang do not hold up others: their threads are replaced") {
    val loader = Loader.objects[String] { (v: Version, _) =>
      if (v.name.startsWith("stuck")) while (!gate("stuck").await(100, TimeUnit.MILLISECONDS)) {}
      "done"
    }
    withCatalog("stuck1", "stuck2", "stuck3", "free")(loader) { catalog =>
      Seq("stuck1", "stuck2").foreach(version => intercept[LoadException](read(catalog, version)))
      eventually("a replacement has loaded it", seconds = 60) {
        try read(catalog, "free") == "done"
        catch { case _: LoadException => false }
      }
      assert(stats(spark)("loaderThreads") > 2)
    }
    gate("stuck").countDown()
    eventually("as many threads as before")(stats(spark)("loaderThreads") == 2)
  }

  test("a task that is killed does not kill the load that it began") {
    val loader = Loader.objects[String] { (v: Version, _) =>
      call(v.name)
      gate("begun").countDown()
      Thread.sleep(500)
      "done"
    }
    withCatalog("survives")(loader) { catalog =>
      val job = new Thread(() => {
        spark.sparkContext.setJobGroup("to-kill", "killed", interruptOnCancel = true)
        try spark.range(0, 1, 1, 1).mapWithVersion(catalog, lit("survives"))((_, value: String) => value)(Encoders.STRING).collect(): Unit
        catch { case _: Exception => }
      })
      job.start()
      assert(gate("begun").await(20, TimeUnit.SECONDS))
      spark.sparkContext.cancelJobGroup("to-kill")
      job.join(20000)
      assert(read(catalog, "survives") == "done")
      assert(calls.get("survives").get == 1)
    }
  }
}
