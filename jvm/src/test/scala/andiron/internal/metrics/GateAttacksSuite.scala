package andiron.internal.metrics

import java.nio.file.Path

import andiron._
import andiron.testing.MetricsSparks._
import andiron.testing.Sparks._
import andiron.testing.SuiteRunner

import org.apache.spark.TaskContext
import org.apache.spark.andironshim.{Faults, Streams}
import org.apache.spark.rdd.RDD
import org.apache.spark.sql.{DataFrame, Dataset, Encoder, Encoders, SparkSession}
import org.apache.spark.sql.functions.{broadcast, lit}
import org.apache.spark.storage.StorageLevel
import org.junit.runner.RunWith
import org.scalatest.BeforeAndAfterAll
import org.scalatest.funsuite.AnyFunSuite

/** Attacks on gates: bad writes that were published, and good ones that were refused. */
@RunWith(classOf[SuiteRunner])
class GateAttacksSuite extends AnyFunSuite with BeforeAndAfterAll {
  private var spark: SparkSession = _
  private val directory = java.nio.file.Files.createTempDirectory("gate-attacks")
  private implicit val longs: Encoder[Long] = Encoders.scalaLong

  override def beforeAll(): Unit = spark = start("local[2,4]", settings(directory): _*)

  override def afterAll(): Unit = {
    stop(spark)
    delete(directory)
  }

  private def attack(name: String, published: Boolean, zeroRows: ZeroRows = ZeroRows.Fail)(body: (Step, Path) => Unit): Unit = test(name) {
    val step = Step(spark, name)
    Gate(step, maxDropRatio = 0.01, onZeroRows = zeroRows)
    val path = directory.resolve(name.replaceAll("\\W", "-"))
    val outcome = scala.util.Try(body(step, path))
    step.close()
    if (published) assert(outcome.isSuccess && files(path).contains("_SUCCESS"), outcome)
    else {
      assert(outcome.isFailure, "it was published")
      causeOf[GateException](outcome.failed.get)
      assert(files(path) == Nil)
    }
  }

  private def refused(name: String)(body: (Step, Path) => Unit): Unit = attack(name, published = false)(body)

  private def numbers(partitions: Int = 4): RDD[Long] = spark.sparkContext.range(0, 1000, 1, partitions)

  private def badIn(from: Long, to: Long): Long => Long = n => if (n >= from && n < to) sys.error(s"bad $n") else n

  private val good: Long => Long = n => n

  private def dataset(step: Step, f: Long => Long): Dataset[Long] = step.map(spark.range(0, 1000, 1, 4))(n => f(n.longValue))

  private def write(rows: Dataset[_], path: Path): Unit = rows.write.parquet(path.toString)

  private def write(rows: RDD[Long], path: Path): Unit = write(spark.createDataset(rows), path)

  refused("two partial evaluations of one partition in one task") { (step, path) =>
    val rows = step.map(numbers(2))(badIn(10, 400))
    write(rows.zipPartitions(rows)((a, b) => a.take(50) ++ b.take(5)), path)
  }

  refused("two partial evaluations behind coalesce") { (step, path) =>
    val rows = step.map(numbers(1))(badIn(10, 400))
    write(rows.mapPartitions(_.take(50)).union(rows.mapPartitions(_.take(5))).coalesce(1), path)
  }

  refused("one task evaluates a partition with a cache and without, and fails once") { (step, path) =>
    val rows = step.map(numbers())(n => if (n < 200 && TaskContext.get().attemptNumber() == 0) sys.error("bad") else n)
    val cached = rows.map(n => n).cache()
    write(rows.union(cached).coalesce(1).mapPartitions { all =>
      val read = all.toVector
      if (TaskContext.get().attemptNumber() == 0) sys.error("late")
      read.iterator
    }, path)
  }

  attack("the same without a fault, and the cache is written", published = true) { (step, path) =>
    val rows = step.map(numbers())(good)
    val cached = rows.map(n => n).cache()
    assert(rows.union(cached).coalesce(1).count() == 2000)
    write(cached, path)
  }

  attack("a cache that a pipe's thread fills", published = true) { (step, path) =>
    val cached = step.map(numbers())(good).coalesce(1).map(_.toString).pipe("cat").map(_.toLong).cache()
    assert(cached.count() == 1000)
    write(cached, path)
  }

  refused("a cache that a pipe's thread fills with bad rows") { (step, path) =>
    val cached = step.map(numbers())(badIn(0, 300)).coalesce(1).map(_.toString).pipe("cat").map(_.toLong).cache()
    assert(cached.count() == 700)
    write(cached, path)
  }

  attack("many evaluations of what a cache is made of", published = true) { (step, path) =>
    val rows = step.map(numbers())(good)
    val cached = rows.map(n => n).cache()
    assert(cached.count() == 1000)
    (1 to 40).foreach(_ => assert(rows.count() == 1000))
    write(cached, path)
  }

  attack("a cache that the write does not read", published = true, ZeroRows.Pass) { (step, path) =>
    val cached = dataset(step, badIn(0, 500)).toDF("id").repartition(3).cache()
    write(spark.range(10).toDF("id").union(cached.where(lit(false))), path)
    assert(step.figures.in == 0, "the walk has filled the cache")
  }

  attack("an RDD that the optimiser has removed", published = true, ZeroRows.Pass) { (step, path) =>
    val rows = spark.createDataset(step.map(numbers())(badIn(0, 500))).toDF("id")
    write(spark.range(10).toDF("id").union(rows.where(lit(false))), path)
  }

  attack("adaptive execution removes what has dropped all of its rows", published = false, ZeroRows.Pass) { (step, path) =>
    val rows = step.map(spark.createDataset(step.map(numbers())(good)))(badIn(0, 1000))
    write(rows.repartition(1, rows.col("value")), path)
  }

  attack("adaptive execution empties a cache while it is filled", published = false, ZeroRows.Pass) { (step, path) =>
    val rows = dataset(step, badIn(0, 1000)).toDF("id")
    val cached = rows.repartition(3, rows.col("id")).cache()
    assert(cached.count() == 0)
    write(cached, path)
  }

  attack("a cache that the optimiser has removed", published = true, ZeroRows.Pass) { (step, path) =>
    val cached = dataset(step, badIn(0, 500)).toDF("id").cache()
    assert(cached.count() == 500)
    write(cached.where(lit(false)), path)
  }

  private def withEmptySide(rows: Dataset[Long]): DataFrame =
    rows.toDF("id").repartition(3).join(spark.range(0, 1000, 1, 4).where("id % 7 = 9").repartition(3), "id")

  attack("adaptive execution removes good rows, the other side of an empty join", published = true)((step, path) => write(withEmptySide(dataset(step, good)), path))

  // Whether the join is empty for its dropped rows is not told.
  refused("adaptive execution removes bad rows, the other side of an empty join")((step, path) => write(withEmptySide(dataset(step, badIn(0, 500))), path))

  refused("an RDD's step over a cached Dataset's step, with a checkpoint") { (step, path) =>
    spark.sparkContext.setCheckpointDir(directory.resolve("checkpoints").toString)
    val cached = step.map(spark.createDataset(numbers(3)))(badIn(0, 500)).persist(StorageLevel.MEMORY_ONLY)
    val rows = step.map(cached.rdd)(good)
    rows.checkpoint()
    write(rows, path)
  }

  refused("a broadcast in the batch's plan of foreachBatch") { (step, path) =>
    val side = dataset(step, badIn(0, 500)).toDF("value")
    val input = Streams.memory(spark)
    input.add(0L until 1000L)
    var failure: Option[Throwable] = None
    val query = input.frame.toDF("value").join(broadcast(side), "value").writeStream.foreachBatch { (batch: DataFrame, _: Long) =>
      try write(batch, path)
      catch { case e: Exception => failure = Some(e) }
    }.start()
    try query.processAllAvailable()
    finally query.stop()
    failure.foreach(e => throw e)
  }

  refused("a checkpoint whose job's event has not arrived") { (step, path) =>
    val latch = new java.util.concurrent.CountDownLatch(1)
    Faults.stall(spark.sparkContext, latch)
    val later = new Thread(() => { Thread.sleep(4000); latch.countDown() })
    later.start()
    val rows = dataset(step, badIn(0, 200)).localCheckpoint()
    try write(rows, path)
    finally later.join()
  }

  for ((policy, published) <- Seq(ZeroRows.Pass -> true, ZeroRows.Fail -> false))
    test(s"a guarded query that the optimiser has emptied: $policy") {
      val step = Step(spark, s"emptied $policy")
      val gate = Gate(step, onZeroRows = policy)
      val outcome = scala.util.Try(Andiron.guard(gate)(dataset(step, good).where("false").collect()))
      assert(outcome.isSuccess == published, outcome)
      step.close()
    }
}
