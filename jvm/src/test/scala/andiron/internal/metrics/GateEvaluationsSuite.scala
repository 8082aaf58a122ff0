package andiron.internal.metrics

import java.nio.file.Path
import java.util.concurrent.{ConcurrentHashMap, CountDownLatch, Executors, TimeUnit}
import java.util.concurrent.atomic.AtomicInteger

import andiron._
import andiron.testing.MetricsSparks._
import andiron.testing.Sparks._
import andiron.testing.SuiteRunner

import org.apache.spark.TaskContext
import org.apache.spark.rdd.RDD
import org.apache.spark.sql.{Dataset, Encoder, Encoders, SparkSession}
import org.apache.spark.storage.StorageLevel
import org.junit.runner.RunWith
import org.scalatest.BeforeAndAfterAll
import org.scalatest.funsuite.AnyFunSuite

/** A write is judged by the evaluations that its own rows come from: the rules R1 to R4 and R8 of docs/internals/gates.md. */
@RunWith(classOf[SuiteRunner])
class GateEvaluationsSuite extends AnyFunSuite with BeforeAndAfterAll {
  import GateEvaluationsSuite._

  private var spark: SparkSession = _
  private val directory = java.nio.file.Files.createTempDirectory("gate-evaluations")
  private implicit val longs: Encoder[Long] = Encoders.scalaLong

  // Tasks may fail; Datasets are cached and written without adaptive execution where a test says so.
  override def beforeAll(): Unit = spark = start("local[4,4]", settings(directory): _*)

  override def afterAll(): Unit = {
    stop(spark)
    delete(directory)
  }

  private def to(name: String): Path = directory.resolve(name.replace(' ', '-'))

  private def failureOf(write: => Unit): GateException = causeOf[GateException](intercept[Exception](write))

  /** The write is refused with these counts, and leaves nothing. */
  private def refused(name: String, counts: String*)(write: Path => Unit): GateException = {
    val failure = failureOf(write(to(name)))
    counts.foreach(part => assert(failure.getMessage.contains(part), failure.getMessage))
    assert(files(to(name)) == Nil, failure.getMessage)
    failure
  }

  private def passes(name: String)(write: Path => Unit): Unit = {
    write(to(name))
    assert(files(to(name)).contains("_SUCCESS"))
  }

  private def gated(name: String, maxDropRatio: Double = 0.001)(body: Step => Unit): Unit = test(name) {
    val step = Step(spark, name)
    Gate(step, maxDropRatio)
    try body(step)
    finally step.close()
  }

  private def numbers: RDD[Long] = spark.sparkContext.range(0, 1000, 1, 8)

  /** 1,000 rows in 8 partitions; the 100 bad ones are in the first. */
  private def features(step: Step): RDD[Long] = step.map(numbers)(badBelow(100))

  private def dataset(step: Step): Dataset[Long] = step.map(spark.range(0, 1000, 1, 8))(n => badBelow(100)(n.longValue))

  /** `of` fails once in each of these partitions after it has read all. */
  private def failingOnce(of: RDD[Long], partitions: Int => Boolean = _ == 0): RDD[Long] = of.mapPartitionsWithIndex { (index, rows) =>
    val read = rows.toVector
    if (partitions(index) && TaskContext.get().attemptNumber() == 0) sys.error("injected")
    read.iterator
  }

  private def rows(of: RDD[Long]): Dataset[Long] = spark.createDataset(of)

  gated("a block outlives its failed task") { step =>
    val cached = features(step).cache()
    refused("outlives", "100 of 1000")(path => rows(failingOnce(cached)).write.parquet(path.toString))
    assert(step.figures == StepFigures(step.name, Map("in" -> 1000L, "out" -> 900L, "dropped" -> 100L), exact = true, ""))
    cached.unpersist()
  }

  gated("a block outlives its failed task, under guard") { step =>
    val cached = features(step).cache()
    val gate = Gate(step)
    val failure = failureOf(Andiron.guard(gate)(failingOnce(cached).saveAsTextFile(to("outlives-guard").toString)))
    assert(failure.getMessage.contains("100 of 1000"), failure.getMessage)
    // All of it is read from blocks now.
    assert(failureOf(Andiron.guard(gate)(cached.saveAsTextFile(to("outlives-guard-2").toString))).getMessage.contains("100 of 1000"))
    cached.unpersist()
  }

  gated("a Dataset's block outlives its failed task") { step =>
    spark.conf.set("spark.sql.adaptive.enabled", "false")
    try {
      val cached = dataset(step).cache()
      val failing = cached.mapPartitions { all =>
        val read = all.toVector
        if (TaskContext.getPartitionId() == 0 && TaskContext.get().attemptNumber() == 0) sys.error("injected")
        read.iterator
      }
      refused("outlives-dataset", "100 of 1000")(path => failing.write.parquet(path.toString))
      cached.unpersist()
    } finally spark.conf.unset("spark.sql.adaptive.enabled")
  }

  gated("localCheckpoint: the lineage is cut when the write's job ends") { step =>
    val kept = features(step)
    kept.localCheckpoint()
    refused("local-checkpoint", "100 of 1000")(path => rows(failingOnce(kept)).write.parquet(path.toString))
    // And again, when only the recorded lineage knows of the step.
    refused("local-checkpoint-2", "100 of 1000")(path => rows(kept).write.parquet(path.toString))
  }

  gated("a checkpoint of a Dataset is judged by what has filled it") { step =>
    spark.sparkContext.setCheckpointDir(directory.resolve("checkpoints").toString)
    val kept = dataset(step).checkpoint()
    refused("checkpoint", "100 of 1000")(path => kept.write.parquet(path.toString))
    val local = dataset(step).localCheckpoint()
    refused("checkpoint-local", "100 of 1000")(path => local.write.parquet(path.toString))
  }

  gated("all tasks fail once, and all rows are good") { step =>
    val cached = step.map(numbers)(n => n).cache()
    passes("all-fail-once")(path => rows(failingOnce(cached, _ => true)).write.parquet(path.toString))
    assert(step.figures.in == 1000 && step.figures.exact)
    cached.unpersist()
  }

  gated("a cancelled job that is run again") { step =>
    val cached = features(step).cache()
    Latch.reset()
    val first = new Thread(() =>
      try cached.mapPartitionsWithIndex { (index, all) =>
        val read = all.toVector
        if (index == 0) Latch.reached.countDown()
        if (index == 0) Thread.sleep(60000)
        read.iterator
      }.count(): Unit
      catch { case _: Exception => () })
    first.start()
    assert(Latch.reached.await(60, TimeUnit.SECONDS))
    spark.sparkContext.cancelAllJobs()
    first.join()
    refused("cancelled", "100 of 1000")(path => rows(cached).write.parquet(path.toString))
    cached.unpersist()
  }

  gated("a count before the write is not the write's") { step =>
    Service.isUp = true
    val o = step.map(spark.range(0, 1000, 1, 8))(n => Service(n))
    assert(o.count() == 1000)
    Service.isUp = false
    refused("count-before")(path => o.limit(50).write.parquet(path.toString))
    refused("count-before-whole", "1000 of 1000")(path => o.write.parquet(path.toString))
    Service.isUp = true
    passes("good-and-partial")(path => o.limit(50).write.parquet(path.toString))
  }

  gated("first try bad, second good and partial") { step =>
    Service.isUp = false
    val o = step.map(spark.range(0, 1000, 1, 8))(n => Service(n))
    refused("first-try")(path => o.write.parquet(path.toString))
    Service.isUp = true
    passes("second-try")(path => o.limit(10).write.parquet(path.toString))
  }

  for (bad <- Seq("a", "b"))
    gated(s"two threads write one Dataset, and the rows of $bad fail") { step =>
      val o = step.map(spark.range(0, 1000, 1, 8)) { n => if (ByThread.isBad) sys.error("this one's service is down") else n.longValue }
      val failures = new ConcurrentHashMap[String, Throwable]
      Latch.reset()
      def writer(name: String): Thread = new Thread(() => {
        spark.sparkContext.setLocalProperty("test.bad", (name == bad).toString)
        // b ends first.
        val out = o.mapPartitions { all =>
          val read = all.toVector
          if (name == "a" && TaskContext.getPartitionId() == 0) assert(Latch.reached.await(60, TimeUnit.SECONDS))
          read.iterator
        }
        try out.write.parquet(to(s"threads-$bad-$name").toString)
        catch { case t: Throwable => failures.put(name, t): Unit }
        finally if (name == "b") Latch.reached.countDown()
      })
      val threads = Seq("a", "b").map(writer)
      threads.foreach(_.start())
      threads.foreach(_.join())
      val other = if (bad == "a") "b" else "a"
      assert(failures.containsKey(bad) && !failures.containsKey(other), failures)
      assert(causeOf[GateException](failures.get(bad)).getMessage.contains("1000 of 1000"))
      assert(files(to(s"threads-$bad-$bad")) == Nil && files(to(s"threads-$bad-$other")).contains("_SUCCESS"))
    }

  gated("Dataset.rdd is executed before: only its second evaluation fails") { step =>
    Service.isUp = true
    val o = step.map(spark.range(0, 1000, 1, 8))(n => Service(n))
    val r = o.rdd
    assert(o.count() == 1000 && r.count() == 1000)
    Service.isUp = false
    refused("dataset-rdd", "1000 of 1000")(path => spark.createDataset(r).write.parquet(path.toString))
  }

  gated("a long write beside many small reads is judged by its own rows") { step =>
    val o = step.map(spark.range(0, 1000, 1, 8)) { n =>
      if (n == 999 && ByThread.isBad) Thread.sleep(3000)
      if (n % 2 == 0 && ByThread.isBad) sys.error("even") else n.longValue
    }
    val failures = new ConcurrentHashMap[String, Throwable]
    val writer = new Thread(() => {
      spark.sparkContext.setLocalProperty("test.bad", "true")
      try o.write.parquet(to("long-write").toString)
      catch { case t: Throwable => failures.put("write", t): Unit }
    })
    writer.start()
    (0 until 20).foreach(_ => assert(o.take(2).length == 2))
    writer.join()
    assert(causeOf[GateException](failures.get("write")).getMessage.contains("500 of 1000"), failures)
    assert(files(to("long-write")) == Nil)
  }

  gated("a union with itself, of which one branch fails") { step =>
    val o = step.map(spark.range(0, 1000, 1, 8)) { n => if (TaskContext.get().partitionId() < 8 && n < 200) sys.error("the first branch") else n.longValue }
    val failure = refused("union", "200 of 1000")(path => o.union(o).write.parquet(path.toString))
    assert(failure.code == 200)
  }

  gated("an RDD's union with itself, of which one branch fails") { step =>
    val o = step.map(numbers) { n => if (TaskContext.get().partitionId() < 8 && n < 200) sys.error("the first branch") else n }
    refused("union-rdd")(path => rows(o.union(o)).write.parquet(path.toString))
  }

  gated("foreachBatch: each batch by itself") { step =>
    val input = org.apache.spark.andironshim.Streams.memory(spark)
    var outcomes = Vector.empty[Boolean]
    val query = input.frame.writeStream.foreachBatch { (batch: Dataset[Long], id: Long) =>
      val o = step.map(batch)(n => if (n >= 100 && n < 150) sys.error("bad") else n)
      outcomes :+= (try { o.write.parquet(to(s"batch-$id").toString); true } catch { case e: Exception => causeOf[GateException](e); false })
    }.start()
    try for (from <- Seq(0L, 100L, 200L)) {
      input.add(from until from + 100)
      query.processAllAvailable()
    } finally query.stop()
    assert(outcomes == Vector(true, false, true))
    assert(files(to("batch-1")) == Nil)
  }

  gated("a replicated level, and blocks that a later job reads") { step =>
    val cached = features(step).persist(StorageLevel.MEMORY_AND_DISK_2)
    assert(cached.count() == 900)
    refused("later-job", "100 of 1000")(path => rows(cached).write.parquet(path.toString))
    refused("later-job-shuffled", "100 of 1000")(path => rows(cached).repartition(3).write.parquet(path.toString))
    cached.unpersist()
  }

  for ((name, remove) <- Seq[(String, Dataset[Long] => Dataset[_])](
      "where(false)" -> (_.where("false")), "limit(0)" -> (_.limit(0)),
      "a join with an empty table" -> (o => o.toDF("id").join(o.sparkSession.range(0).toDF("id"), "id"))))
    test(s"the optimiser removes the step: $name") {
      for ((policy, passed) <- Seq(ZeroRows.Pass -> true, ZeroRows.Fail -> false)) {
        val step = Step(spark, s"removed $name $policy")
        Gate(step, onZeroRows = policy)
        val path = to(s"removed $name $policy".replaceAll("\\W", "-"))
        val outcome = scala.util.Try(remove(dataset(step)).write.parquet(path.toString))
        assert(outcome.isSuccess == passed, outcome)
        outcome.failed.foreach(e => assert(causeOf[GateException](e).getMessage.contains("no row was read"), e))
        step.close()
      }
    }

  gated("a mended cell that is run again under guard is judged by itself") { step =>
    val gate = Gate(step)
    Service.isUp = false
    def cell(name: String): Unit = Andiron.guard(gate)(step.map(numbers)(n => Service(n)).saveAsTextFile(to(name).toString))
    assert(failureOf(cell("cell-1")).getMessage.contains("1000 of 1000"))
    Service.isUp = true
    cell("cell-2")
  }

  gated("an early verdict refuses its own job, and not the next write") { step =>
    val gate = Gate(step, maxDropRatio = 1, maxDropped = 10)
    failureOf(Andiron.guard(gate) {
      step.map(spark.sparkContext.parallelize(0 until 400, 400)) { n => Thread.sleep(20); if (n % 2 == 0) sys.error("even") else n }.count()
    })
    Andiron.guard(gate)(step.map(numbers)(n => n).saveAsTextFile(to("after-early").toString))
    passes("after-early-write")(path => rows(step.map(numbers)(n => n)).write.parquet(path.toString))
  }

  gated("jobs of other threads are not judged by a guard, and those of a wrapped pool are") { step =>
    val gate = Gate(step)
    val pool = Executors.newFixedThreadPool(1)
    try {
      pool.submit((() => ()): Runnable).get()
      def bad(name: String): Runnable = () => step.map(numbers)(badBelow(500)).saveAsTextFile(to(name).toString)
      val outside = failureOf(Andiron.guard(gate)(pool.submit(bad("pool")).get()))
      assert(outside.code == 201 && outside.getMessage.contains("no job ran"), outside.getMessage)
      val wrapped = failureOf(Andiron.guard(gate) {
        val done = new CountDownLatch(1)
        Andiron.guard.wrap(pool).execute { () =>
          try bad("pool-wrapped").run()
          finally done.countDown()
        }
        done.await()
      })
      assert(wrapped.getMessage.contains("500 of 1000"), wrapped.getMessage)
      Andiron.guard(gate) {
        val other = pool.submit(bad("pool-beside"))
        step.map(numbers)(n => n).saveAsTextFile(to("guarded-beside").toString)
        other.get()
      }
    } finally pool.shutdown()
  }

  gated("a lazy Dataset is no guarded body") { step =>
    val gate = Gate(step)
    val failure = failureOf(Andiron.guard(gate)(step.map(numbers)(n => n)): Unit)
    assert(failure.code == 201 && failure.getMessage.contains("no job ran in the guarded body"), failure.getMessage)
  }

  gated("nested guards both judge") { step =>
    val (inner, outer) = (Gate(step, maxDropRatio = 0.5), Gate(step, maxDropRatio = 0.05))
    val failure = failureOf(Andiron.guard(outer)(Andiron.guard(inner)(features(step).count())): Unit)
    assert(failure.getMessage.contains("more than 5 %"), failure.getMessage)
  }

  gated("causes are those of the judged evaluations") { step =>
    val gate = Gate(step, maxDropRatio = 0)
    intercept[GateException](Andiron.guard(gate)(step.map(numbers)(n => if (n < 3) sys.error("yesterday") else n).count()))
    val failure = failureOf(Andiron.guard(gate)(step.map(numbers)(n => if (n < 2) sys.error("today") else n).count()): Unit)
    assert(failure.getMessage.contains("today") && !failure.getMessage.contains("yesterday"), failure.getMessage)
  }

  test("out and counters have limits of their own") {
    def parse(step: Step) = {
      val failed = step.counter("unparsed")
      step.flatMap(numbers)(n => scala.util.Try(if (n % 10 == 0) { failed.increment(); sys.error("hidden") } else n).toOption)
    }
    for ((name, gate, passed) <- Seq[(String, Step => Gate, Boolean)](
        ("out", Gate(_, minOutRatio = 0.9), true), ("out-above", Gate(_, minOutRatio = 0.91), false),
        ("counter", Gate(_, maxCounters = Map("unparsed" -> 0.1)), true), ("counter-above", Gate(_, maxCounters = Map("unparsed" -> 0.09)), false))) {
      val step = Step(spark, name)
      gate(step)
      val outcome = scala.util.Try(rows(parse(step)).write.parquet(to(name).toString))
      assert(outcome.isSuccess == passed, (name, outcome))
      step.close()
    }
  }
}

object GateEvaluationsSuite {
  def badBelow(n: Long): Long => Long = row => if (row < n) sys.error(s"no history of $row") else row

  /** A service that every row needs. */
  object Service {
    @volatile var isUp = true
    def apply(n: java.lang.Long): Long = if (isUp) n else sys.error("the service is down")
  }

  /** Whether the thread that has started the job has said that its rows are bad. */
  object ByThread {
    def isBad: Boolean = TaskContext.get().getLocalProperty("test.bad") == "true"
  }

  object Latch {
    @volatile var reached = new CountDownLatch(1)
    val calls = new AtomicInteger
    def reset(): Unit = reached = new CountDownLatch(1)
  }
}
