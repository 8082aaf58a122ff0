package andiron.internal.cache

import java.nio.file.{Files, Path}
import java.util.concurrent.atomic.AtomicInteger
import java.util.concurrent.{ConcurrentHashMap, TimeUnit}

import andiron.testing.Sparks._
import andiron._
import andiron.testing.SuiteRunner

import org.apache.spark.sql.{Encoders, Row, SparkSession}
import org.apache.spark.sql.functions.col
import org.junit.runner.RunWith
import org.scalatest.{BeforeAndAfterAll, BeforeAndAfterEach}
import org.scalatest.funsuite.AnyFunSuite

/** Shared with the tasks, which run in the same process. */
object BudgetSuite {
  private val active = new ConcurrentHashMap[String, AtomicInteger]
  private val most = new AtomicInteger

  def reset(): Unit = most.set(0)

  /** Counts `version` as in use during `body`. */
  def using[A](version: String)(body: => A): A = {
    active.computeIfAbsent(version, _ => new AtomicInteger).incrementAndGet()
    most.accumulateAndGet(active.values.stream().filter(_.get > 0).count().toInt, (a, b) => math.max(a, b))
    try body
    finally active.get(version).decrementAndGet(): Unit
  }

  /** The most versions that were in use at once. */
  def mostInUse: Int = most.get
}

/** Versions of 1000 bytes, and a budget of 2500. */
@RunWith(classOf[SuiteRunner])
class BudgetSuite extends AnyFunSuite with BeforeAndAfterAll with BeforeAndAfterEach {
  private var spark: SparkSession = _
  private var directory: Path = _
  private var made: Catalog[Bytes] = _
  private val names = (1 to 6).map(i => s"v$i")

  override def beforeAll(): Unit = {
    directory = Files.createTempDirectory("budget")
    spark = start("local[4]",
      AndironConf.BudgetBytes.key -> "2500",
      AndironConf.HardLimitBytes.key -> "3500",
      AndironConf.OverdraftAfter.key -> "200ms",
      AndironConf.DeadlockAfter.key -> "800ms",
      AndironConf.WaitTimeout.key -> "60s")
    val versions = names.map(name => Version(name, source(directory, name, new Array[Byte](1000))))
    made = VersionedData.catalog(spark, "thousands", versions :+ Version("large", source(directory, "large", new Array[Byte](2501))), Loader.bytes)
  }

  override def afterAll(): Unit = {
    made.close()
    stop(spark)
    delete(directory)
  }

  override def beforeEach(): Unit = BudgetSuite.reset()

  override def afterEach(): Unit = {
    eventually(s"nothing held: ${stats(spark)}")(Seq("leases", "waiting", "cursors", "attempts").forall(stats(spark)(_) == 0))
  }

  /** Runs `body` while a thread outside any task holds `versions`. */
  private def holding(versions: String*)(body: => Unit): Unit = {
    val blocker = made.acquireAll(versions: _*)
    try body
    finally blocker.close()
  }

  test("a version larger than the budget is refused at once, with the setting to raise") {
    val e = intercept[BudgetException](made.lease("large"))
    assert(e.code == 102)
    Seq("large", "thousands", "2501", "2500", AndironConf.BudgetBytes.key).foreach(part => assert(e.getMessage.contains(part), e.getMessage))
  }

  test("more versions than the budget are never resident at once, and every row meets its own") {
    val rows = spark.range(0, 6000, 1, 8).selectExpr("id", "concat('v', id % 6 + 1) as version")
    val before = stats(spark)
    val found = rows.mapWithVersion(made, col("version")) { (row: Row, value: Bytes) =>
      BudgetSuite.using(row.getString(1))(row.getLong(0) + value.size)
    }(Encoders.scalaLong).collect()
    assert(found.map(_ - 1000).sum == 6000L * 5999 / 2)
    assert(BudgetSuite.mostInUse <= 2 && stats(spark)("overBudgetAdmissions") == before("overBudgetAdmissions"), stats(spark))
  }

  test("a version that nobody uses makes room for another, one in use does not") {
    val first = made.lease("v1")
    val second = made.lease("v2")
    second.close()
    val third = made.lease("v3")
    assert(first.value.size == 1000 && third.value.size == 1000)
    first.close()
    third.close()
  }

  test("several versions at once are granted together, whatever the order of the names") {
    val set = made.acquireAll("v4", "v2", "v4")
    assert(set.versions == Seq("v4", "v2") && set("v2").size == 1000 && set("v4").size == 1000)
    intercept[SettingException](set("v1"))
    set.close()
    intercept[ReleasedException](set("v2"))
    assert(intercept[BudgetException](made.acquireAll("v1", "v2", "v3")).code == 102)
    intercept[UnknownVersionException](made.acquireAll("v1", "nowhere"))
    intercept[SettingException](made.acquireAll())
  }

  test("tasks that take pairs in opposite orders finish without admissions over the budget") {
    val catalog = made // what a closure takes along must not be the suite
    val before = stats(spark)
    val pairs = spark.sparkContext.parallelize(0 until 24, 12)
    val sum = pairs.map { i =>
      val (a, b) = (s"v${i % 6 + 1}", s"v${(i * 5 + 2) % 6 + 1}")
      val set = if (i % 2 == 0) catalog.acquireAll(a, b) else catalog.acquireAll(b, a)
      try set(a).size + set(b).size
      finally set.close()
    }.sum()
    assert(sum == 48000)
    assert(stats(spark)("overBudgetAdmissions") == before("overBudgetAdmissions"))
  }

  test("a task that holds one version and waits for another is admitted over the budget, and that is counted") {
    val catalog = made // what a closure takes along must not be the suite
    holding("v1", "v2") {
      val before = stats(spark)("overBudgetAdmissions")
      val started = System.nanoTime()
      val size = spark.sparkContext.parallelize(Seq(1), 1).map { _ =>
        val one = catalog.cursor()
        one.advance("v1")
        catalog.cursor().advance("v3").size
      }.first()
      assert(size == 1000 && stats(spark)("overBudgetAdmissions") == before + 1)
      assert(System.nanoTime() - started >= TimeUnit.MILLISECONDS.toNanos(200))
    }
  }

  test("at the hard limit such a task is killed three times, which does not count as a failure, then it fails with a typed error") {
    val catalog = made // what a closure takes along must not be the suite
    holding("v1", "v2") {
      val kills = stats(spark)("deadlockKills")
      val outcome = intercept[Exception] {
        spark.sparkContext.parallelize(Seq(1), 1).map { _ =>
          catalog.cursor().advance("v1")
          catalog.cursor().advance("v3")
          catalog.cursor().advance("v4").size
        }.first()
      }
      val e = causeOf[BudgetException](new Exception(outcome))
      assert(e.code == 110 && e.getMessage.contains("acquireAll"), e.getMessage)
      assert(stats(spark)("deadlockKills") == kills + 4)
    }
  }

  test("a task that waits for the budget stops within 2 s of its kill, whether it is interrupted or not") {
    val catalog = made // what a closure takes along must not be the suite
    for (interrupt <- Seq(true, false)) {
      holding("v1", "v2") {
        val group = s"waits-$interrupt"
        val job = new Thread(() => {
          spark.sparkContext.setJobGroup(group, group, interruptOnCancel = interrupt)
          try spark.sparkContext.parallelize(Seq(1), 1).map(_ => catalog.lease("v3").value.size).first(): Unit
          catch { case _: Exception => }
        })
        job.start()
        eventually("it waits")(stats(spark)("waiting") == 1)
        val killed = System.nanoTime()
        spark.sparkContext.cancelJobGroup(group)
        eventually("it has stopped", seconds = 2)(stats(spark)("waiting") == 0 && stats(spark)("attempts") == 1)
        println(s"a waiting task stopped ${(System.nanoTime() - killed) / 1000000} ms after its kill, interrupted: $interrupt")
        job.join(20000)
      }
    }
  }

  test("a thread outside any task that waits can be interrupted") {
    holding("v1", "v2") {
      @volatile var outcome: Any = null
      val waiting = new Thread(() => outcome = try made.lease("v3") catch { case e: Exception => e.getClass })
      waiting.start()
      eventually("it waits")(stats(spark)("waiting") == 1)
      waiting.interrupt()
      waiting.join(5000)
      assert(outcome == classOf[InterruptedException])
    }
  }

  test("the demand that the driver announces decides which version goes first") {
    val hinted = VersionedData.catalog(spark, "hinted", Seq("a", "b", "c").map(name => Version(name, source(directory, s"hinted-$name", new Array[Byte](1000)))), Loader.bytes)
    intercept[SettingException](hinted.demand(Map("nowhere" -> 1L)))
    hinted.demand(Map("a" -> 100L))
    def loads(version: String): Long = {
      val before = stats(spark)("loads")
      spark.sparkContext.parallelize(Seq(1), 1).map(_ => hinted.lease(version).value.size).first()
      stats(spark)("loads") - before
    }
    assert(loads("a") == 1 && loads("b") == 1 && loads("c") == 1)
    assert(loads("a") == 0, "the version in demand was evicted")
    hinted.demand(Map("c" -> 100L))
    assert(loads("b") == 1 && loads("c") == 0, "the new hint did not replace the old one")
    hinted.close()
  }

  test("keepWarm=false frees a version with its last lease; a count limit holds") {
    stop(spark)
    try withSpark("local[4]", AndironConf.KeepWarm.key -> "false", AndironConf.BudgetVersions.key -> "1") { spark =>
      val catalog = VersionedData.catalog(spark, "cold", names.map(name => Version(name, directory.resolve(name).toUri.toString)), Loader.bytes)
      val rows = spark.range(0, 600, 1, 8).selectExpr("id", "concat('v', id % 6 + 1) as version")
      val sizes = rows.mapWithVersion(catalog, col("version"))((row: Row, value: Bytes) => BudgetSuite.using(row.getString(1))(value.size))(Encoders.scalaLong)
      assert(sizes.collect().toSeq == Seq.fill(600)(1000L))
      assert(BudgetSuite.mostInUse == 1 && stats(spark)("residentBytes") == 0, stats(spark))
      assert(intercept[BudgetException](catalog.acquireAll("v1", "v2")).getMessage.contains(AndironConf.BudgetVersions.key))
      catalog.close()
    } finally beforeAll()
  }

  test("a budget of zero is refused when the first catalog is made") {
    stop(spark)
    try withSpark("local[2]", AndironConf.BudgetBytes.key -> "0") { spark =>
      val e = intercept[SettingException](VersionedData.catalog(spark, "none", Seq(Version("v", directory.resolve("v1").toUri.toString)), Loader.bytes))
      assert(e.code == 116 && e.getMessage.contains(AndironConf.BudgetBytes.key))
    } finally beforeAll()
  }
}
