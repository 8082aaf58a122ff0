package andiron

import java.nio.file.{Files, Path}
import java.util.concurrent.atomic.{AtomicLong, AtomicReference}

import andiron.testing.Sparks._
import andiron.internal.boundary.Native
import andiron.internal.cache.{CacheStats, ExecutorCache}
import andiron.testing.SuiteRunner

import org.apache.spark.andironshim.Probes
import org.apache.spark.sql.{Encoders, SparkSession}
import org.apache.spark.sql.functions.lit
import org.junit.runner.RunWith
import org.scalatest.BeforeAndAfterAll
import org.scalatest.funsuite.AnyFunSuite

/** Shared with tasks and their threads, which run in the same process. */
object LifecycleSuite {
  val late = new AtomicReference[Throwable]
  val reads = new AtomicLong
}

@RunWith(classOf[SuiteRunner])
class LifecycleSuite extends AnyFunSuite with BeforeAndAfterAll {
  private var directory: Path = _
  private var file: String = _
  private var large: String = _

  override def beforeAll(): Unit = {
    directory = Files.createTempDirectory("lifecycle")
    file = source(directory, "v", Array.tabulate[Byte](8192)(_.toByte))
    large = source(directory, "large", new Array[Byte](12 << 20))
  }

  override def afterAll(): Unit = delete(directory)

  private def make(spark: SparkSession): Catalog[Bytes] = VersionedData.catalog(spark, "life", Seq(Version("v", file)), Loader.bytes)

  test("two contexts one after the other: the second starts empty, the first one's catalog is closed") {
    var old: Catalog[Bytes] = null
    var lease: Lease[Bytes] = null
    var bytes: Bytes = null
    withSpark("local[2]") { spark =>
      old = make(spark)
      lease = old.lease("v")
      bytes = lease.value
      assert(stats(spark)("residentBytes") == 8192)
    }
    eventually("ended with its context")(ExecutorCache.currentIfAny.isEmpty)
    intercept[ReleasedException](bytes.getByte(0))
    intercept[ReleasedException](lease.value)
    lease.close()
    val e = intercept[AndironException](old.lease("v"))
    assert(Set(113, 115)(e.code))
    withSpark("local[2]") { spark =>
      assert(intercept[ReleasedException](old.lease("v")).code == 113)
      intercept[ReleasedException](spark.range(1).mapWithVersion(old, lit("v"))((_, value: Bytes) => value.size)(Encoders.scalaLong))
      old.close()
      val fresh = make(spark)
      assert(fresh.lease("v").value.size == 8192 && stats(spark)("residentBytes") == 8192)
      fresh.close()
    }
  }

  test("what is used after SparkContext.stop throws a typed error, with and without the plugin") {
    for (plugin <- Seq(Nil, Seq("spark.plugins" -> "andiron.AndironPlugin"))) {
      var cursor: Cursor[Bytes] = null
      var bytes: Bytes = null
      withSpark("local[2]", plugin: _*) { spark =>
        cursor = make(spark).cursor()
        bytes = cursor.advance("v")
      }
      eventually("released")(
        try { bytes.getByte(0); false }
        catch { case _: ReleasedException => true })
      intercept[ReleasedException](cursor.advance("v"))
      cursor.close()
    }
  }

  test("the end of an application lets no waiter in: nothing stays reserved, and the next one has the whole budget") {
    def reserved: Long = {
      val values = new Array[Long](CacheStats.names.length)
      Native.stats(values)
      values(CacheStats.names.indexOf("reservedBytes"))
    }
    val names = Seq("first", "second", "third")
    names.foreach(name => source(directory, name, new Array[Byte](8192)))
    for (_ <- 0 until 4) withSpark("local[2]", AndironConf.BudgetBytes.key -> "8192", AndironConf.WaitTimeout.key -> "10s") { spark =>
      val catalog = VersionedData.catalog(spark, "waiters", names.map(name => Version(name, directory.resolve(name).toUri.toString)), Loader.bytes)
      assert(catalog.lease("first").value.size == 8192)
      val waiters = names.tail.map { name =>
        val waiter = new Thread(() => try catalog.lease(name): Unit catch { case _: AndironException => })
        waiter.start()
        waiter
      }
      eventually("both wait")(stats(spark)("waiting") == 2)
      spark.stop()
      waiters.foreach(_.join(20000))
      eventually(s"$reserved bytes are reserved after the end", seconds = 5)(reserved == 0)
    }
  }

  test("without a context there is an error that says so") {
    SparkSession.clearDefaultSession()
    assert(intercept[SettingException](ExecutorCache.current()).code == 115)
  }

  test("spark.andiron.enabled=false turns everything off, with a clear error for those who use it") {
    withSpark("local[2]", "spark.andiron.enabled" -> "false", "spark.plugins" -> "andiron.AndironPlugin") { spark =>
      assert(spark.range(10).count() == 10)
      assert(Probes.gauges.isEmpty)
      val e = intercept[SettingException](make(spark))
      assert(e.getMessage.contains("spark.andiron.enabled"))
      intercept[SettingException](Andiron.cacheStats(spark))
    }
  }

  test("a bad setting stops the application when the plugin starts, and is named") {
    val e = intercept[Exception](withSpark("local[2]", "spark.plugins" -> "andiron.AndironPlugin", AndironConf.BudgetBytes.key -> "plenty")(_ => ()))
    assert(causeOf[SettingException](e).getMessage.contains(AndironConf.BudgetBytes.key))
    SparkSession.clearActiveSession()
    SparkSession.clearDefaultSession()
  }

  test("a misspelt setting stops the application, with the plugin when it starts and without it when a catalog is made") {
    val misspelt = AndironConf.BudgetBytes.key.dropRight(1) -> "1m"
    def refused(start: => Any): Unit = {
      val message = causeOf[SettingException](intercept[Exception](start)).getMessage
      assert(message.contains(s"${misspelt._1} is no setting of Andiron: did you mean ${AndironConf.BudgetBytes.key}?"), message)
    }
    refused(withSpark("local[2]", "spark.plugins" -> "andiron.AndironPlugin", misspelt)(_ => ()))
    SparkSession.clearActiveSession()
    SparkSession.clearDefaultSession()
    withSpark("local[2]", misspelt)(spark => refused(make(spark)))
    withSpark("local[2]", "spark.plugins" -> "andiron.AndironPlugin", AndironConf.Enabled.key -> "false", misspelt)(spark => assert(spark.range(10).count() == 10))
  }

  test("with the plugin the figures are gauges of Spark's metrics system") {
    withSpark("local[2]", "spark.plugins" -> "andiron.AndironPlugin") { spark =>
      val catalog = make(spark)
      assert(spark.range(0, 100, 1, 4).mapWithVersion(catalog, lit("v"))((id, value: Bytes) => id + value.size)(Encoders.scalaLong).count() == 100)
      eventually(s"shown: ${Probes.gauges}")(Probes.gauges.get("cache.residentBytes").contains(8192L))
      assert(Probes.gauges.get("cache.leases").contains(0L))
      assert(Probes.gauges.keySet.filter(_.startsWith("cache.")).map(_.stripPrefix("cache.")).subsetOf(stats(spark).figures.keySet))
      catalog.close()
      assert(stats(spark)("residentBytes") == 0 && stats(spark)("callbackLeases") == 0)
    }
  }

  test("bytes are charged to Spark's off-heap storage memory, objects to that on the heap, and a refusal is counted") {
    withSpark("local[2]", "spark.memory.offHeap.enabled" -> "true", "spark.memory.offHeap.size" -> "20m", AndironConf.BudgetBytes.key -> "100m") { spark =>
      val bytes = make(spark)
      val lease = bytes.lease("v")
      eventually("charged")(Probes.offHeapStorageUsed == 8192 && stats(spark)("accountedBytes") == 8192)
      val objects = VersionedData.catalog(spark, "objects", Seq(Version("v", file)), Loader.objects[String]((_: Version, _) => "x", (_: String) => 5000L))
      objects.cursor().close()
      val onHeap = Probes.onHeapStorageUsed // with the broadcast of the catalog
      val held = objects.lease("v")
      eventually(s"charged on the heap too: ${Probes.onHeapStorageUsed} after $onHeap")(
        stats(spark)("accountedBytes") == 13192 && Probes.onHeapStorageUsed == onHeap + 5000)
      val more = VersionedData.catalog(spark, "more", Seq("v", "w").map(name => Version(name, large)), Loader.bytes)
      val charged = more.lease("v")
      eventually("charged as well")(Probes.offHeapStorageUsed == (12 << 20) + 8192)
      val refused = more.lease("w")
      eventually("refused")(stats(spark)("accountingRefusals") == 1)
      assert(Probes.offHeapStorageUsed == (12 << 20) + 8192 && refused.value.size == 12 << 20)
      Seq(lease, held, charged, refused).foreach(_.close())
      Seq(bytes, objects, more).foreach(_.close())
      eventually("given back")(Probes.offHeapStorageUsed == 0 && stats(spark)("accountedBytes") == 0)
    }
  }

  test("a load is not interrupted by the end of the application before") {
    for (_ <- 0 until 8) withSpark("local[2]") { spark =>
      val loader = Loader.custom[String] { (version: Version) => Thread.sleep(1); version.name }((_: String) => 8L)
      val catalog = VersionedData.catalog(spark, "patient", (0 until 8).map(i => Version(s"v$i", "nowhere")), loader)
      (0 until 8).foreach(i => catalog.lease(s"v$i").close())
    }
  }

  test("accounting can be turned off") {
    withSpark("local[2]", "spark.memory.offHeap.enabled" -> "true", "spark.memory.offHeap.size" -> "20m", AndironConf.Accounting.key -> "off") { spark =>
      val catalog = make(spark)
      catalog.lease("v").close()
      Thread.sleep(600)
      assert(Probes.offHeapStorageUsed == 0 && stats(spark)("accountedBytes") == 0 && stats(spark)("residentBytes") == 8192)
    }
  }

  test("encryption of local files refuses bytes, not objects") {
    withSpark("local[2]", "spark.io.encryption.enabled" -> "true", "spark.authenticate" -> "true") { spark =>
      val e = intercept[StoreException](make(spark))
      assert(e.code == 117 && e.getMessage.contains("spark.io.encryption.enabled"))
      val objects = VersionedData.catalog(spark, "objects", Seq(Version("v", file)), Loader.objects[String]((_: Version, _) => "x"))
      val lease = objects.lease("v")
      assert(lease.value == "x")
      lease.close()
      objects.close()
    }
  }

  test("a thread that reads on after its task has ended gets the exception, and nothing stays leased") {
    withSpark("local[2]") { spark =>
      val catalog = make(spark)
      LifecycleSuite.late.set(null)
      LifecycleSuite.reads.set(0)
      val lines = spark.sparkContext.parallelize(0 until 50000000, 1).mapPartitions { rows =>
        val cursor = catalog.cursor()
        rows.map { i =>
          try {
            LifecycleSuite.reads.incrementAndGet()
            cursor.advance("v").getByte((i % 8192).toLong).toString
          } catch {
            case t: Throwable =>
              LifecycleSuite.late.set(t)
              throw t
          }
        }
      }.pipe(Seq("head", "-n", "1")).collect()
      assert(lines.toSeq == Seq("0"))
      eventually(s"the late reader is stopped after ${LifecycleSuite.reads.get} reads")(LifecycleSuite.late.get != null)
      assert(LifecycleSuite.late.get.isInstanceOf[ReleasedException], LifecycleSuite.late.get)
      assert(stats(spark)("leases") == 0)
      catalog.close()
      assert(stats(spark)("residentBytes") == 0)
    }
  }

  test("helper threads of a task read its values, and register their own cursors with the task") {
    withSpark("local[2]") { spark =>
      val catalog = make(spark)
      val sums = spark.sparkContext.parallelize(0 until 4, 4).map { i =>
        val bytes = catalog.cursor().advance("v")
        val context = org.apache.spark.TaskContext.get()
        var sum = 0L
        val helper = new Thread(() => Probes.within(context) {
          sum = bytes.getByte(i.toLong).toLong + catalog.cursor().advance("v").getByte(1)
        })
        helper.start()
        helper.join()
        sum
      }.collect()
      assert(sums.toSeq == Seq(1, 2, 3, 4))
      assert(stats(spark)("leases") == 0 && stats(spark)("attempts") == 0)
    }
  }

  test("a task whose completion listeners were skipped is released by the reaper, and counted") {
    withSpark("local[2]") { spark =>
      val catalog = make(spark)
      catalog.lease("v").close()
      val context = Probes.context()
      val bytes = Probes.within(context)(catalog.cursor().advance("v"))
      assert(bytes.getByte(3) == 3 && stats(spark)("leases") == 1)
      Probes.completeSilently(context)
      eventually("reaped")(stats(spark)("leases") == 0)
      assert(stats(spark)("reapedLeases") == 1)
      intercept[ReleasedException](bytes.getByte(3))
    }
  }

  test("the plugin's callback releases what a listener has missed, and a completed task gets no new leases") {
    withSpark("local[2]") { spark =>
      val catalog = make(spark)
      catalog.lease("v").close()
      val context = Probes.context()
      Probes.within(context)(catalog.cursor().advance("v"))
      ExecutorCache.current().endTask(context.taskAttemptId())
      ExecutorCache.current().endTask(context.taskAttemptId())
      assert(stats(spark)("leases") == 0 && stats(spark)("callbackLeases") == 1)
      Probes.completeSilently(context)
      intercept[ReleasedException](Probes.within(context)(catalog.cursor().advance("v")))
      assert(stats(spark)("leases") == 0)
    }
  }

  test("the directory of an application goes with it") {
    val root = directory.resolve("cache")
    withSpark("local[2]", AndironConf.Directory.key -> root.toString) { spark =>
      val catalog = make(spark)
      catalog.lease("v").close()
      assert(Files.isDirectory(root.resolve(spark.sparkContext.applicationId)))
      assert(java.nio.file.attribute.PosixFilePermissions.toString(Files.getPosixFilePermissions(root)) == "rwx------")
    }
    eventually(s"removed: ${root.toFile.list().toSeq}")(root.toFile.list().toSeq.filterNot(_.startsWith(".")).isEmpty)
  }

  test("a cache directory that others could change is refused") {
    val root = Files.createDirectory(directory.resolve("open"))
    Files.setPosixFilePermissions(root, java.nio.file.attribute.PosixFilePermissions.fromString("rwxrwxrwx"))
    withSpark("local[2]", AndironConf.Directory.key -> root.toString) { spark =>
      val e = intercept[StoreException](make(spark).lease("v"))
      assert(e.code == 118 && e.getMessage.contains(root.toString))
    }
  }
}
