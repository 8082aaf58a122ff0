package andiron.internal.metrics

import java.util.concurrent.{ConcurrentHashMap, CountDownLatch}

import andiron.testing.MetricsSparks._
import andiron.testing.Sparks._
import andiron.testing.SuiteRunner

import org.apache.spark.TaskContext
import org.apache.spark.andironshim.Faults
import org.apache.spark.rdd.RDD
import org.apache.spark.sql.{Encoder, Encoders, SparkSession}
import org.apache.spark.storage.StorageLevel
import org.apache.spark.util.LongAccumulator
import org.junit.runner.RunWith
import org.scalatest.BeforeAndAfterAll
import org.scalatest.funsuite.AnyFunSuite

/** Named accumulators below persisted RDDs: the figure is right, or it is not exact. */
@RunWith(classOf[SuiteRunner])
class NamedAccumulatorSuite extends AnyFunSuite with BeforeAndAfterAll {
  private var spark: SparkSession = _
  private val directory = java.nio.file.Files.createTempDirectory("named")
  private val Rows = 1000
  private implicit val longs: Encoder[Long] = Encoders.scalaLong

  override def beforeAll(): Unit = spark = start("local[2,4]", settings(directory): _*)

  override def afterAll(): Unit = {
    stop(spark)
    delete(directory)
  }

  private def counted(name: String, partitions: Int = 8): (RDD[Int], LongAccumulator) = {
    val accumulator = spark.sparkContext.longAccumulator(name)
    (spark.sparkContext.parallelize(0 until Rows, partitions).map { n => accumulator.add(1); n }, accumulator)
  }

  private def exactly(name: String, rows: Double = Rows): Unit = {
    val figure = NamedFigures.one(spark, name)
    assert(figure.exact && figure.committed == rows, figure)
  }

  private def flagged(name: String, why: String): NamedFigure = {
    val figure = NamedFigures.one(spark, name)
    assert(!figure.exact && figure.reason.contains(why), figure)
    figure
  }

  /** Fails the first attempt of each of these partitions after it has read all. */
  private def failing(rows: RDD[Int], partitions: Int => Boolean, name: String): RDD[Int] = rows.mapPartitionsWithIndex { (index, all) =>
    val read = all.toVector
    if (partitions(index) && NamedAccumulatorSuite.first(name, index)) sys.error("injected")
    read.iterator
  }

  test("of a union with itself a branch counts once whose tasks and whose stage are tried again") {
    val (rows, accumulator) = counted("retried union")
    val shuffled = failing(rows.union(rows), _ >= 11, "retried union").map(n => (n % 7, n)).groupByKey(4)
    val shuffle = Faults.shuffleOf(shuffled)
    val groups = shuffled.mapPartitions { all =>
      if (TaskContext.get().stageAttemptNumber() == 0) Faults.failFetch(shuffle)
      all
    }
    assert(groups.map(_._2.size).sum() == 2 * Rows)
    assert(accumulator.value > 2 * Rows, "the map stage ran again")
    assert((11 until 16).forall(!NamedAccumulatorSuite.first("retried union", _)), "tasks of the second branch failed")
    val figures = NamedFigures.of(spark, "retried union")
    assert(figures.map(_.scope.replaceFirst("rdd:[0-9]+", "")) == Seq("/branch:1/shuffle", "/branch:2/shuffle"), figures)
    assert(figures.forall(figure => figure.committed == Rows && !figure.exact && figure.reason.contains("several times")), figures)
  }

  test("a map stage whose second attempt reads cached blocks keeps what the first has counted") {
    for (level <- Seq(StorageLevel.MEMORY_ONLY, StorageLevel.MEMORY_ONLY_SER, StorageLevel.DISK_ONLY)) {
      val name = s"fetch failure, $level"
      val (rows, _) = counted(name)
      val shuffled = rows.persist(level).map(n => (n % 7, n)).groupByKey(4)
      val shuffle = Faults.shuffleOf(shuffled)
      val groups = shuffled.mapPartitions { all =>
        if (TaskContext.get().stageAttemptNumber() == 0) Faults.failFetch(shuffle)
        all
      }
      assert(groups.map(_._2.size).sum() == Rows)
      exactly(name)
    }
  }

  test("a task's retry that reads the block of the attempt that failed is not exact") {
    for (level <- Seq(StorageLevel.MEMORY_ONLY, StorageLevel.MEMORY_ONLY_SER, StorageLevel.DISK_ONLY)) {
      val name = s"retry, $level"
      val (rows, _) = counted(name)
      assert(failing(rows.persist(level), _ % 2 == 0, name).count() == Rows)
      flagged(name, "never arrived")
    }
  }

  test("a retry of a task whose failed attempt stored an empty block is not exact") {
    val name = "empty blocks"
    val accumulator = spark.sparkContext.longAccumulator(name)
    val none = spark.sparkContext.parallelize(0 until Rows, 8).flatMap { n => accumulator.add(1); if (n < 125) Some(n) else None }
    assert(failing(none.persist(StorageLevel.MEMORY_ONLY_SER), _ % 2 == 1, name).count() == 125)
    flagged(name, "never arrived")
  }

  test("what was cached without a failure stays exact when a later job fails and reads it") {
    val name = "late failure"
    val (rows, _) = counted(name)
    assert(rows.persist().count() == Rows)
    assert(failing(rows, _ => true, name).count() == Rows)
    exactly(name)
  }

  test("a retry that reads no block has computed its rows itself") {
    val name = "no block"
    val accumulator = spark.sparkContext.longAccumulator(name)
    val rows = spark.sparkContext.parallelize(0 until Rows, 8).map { n =>
      accumulator.add(1)
      if (n % 125 == 70 && NamedAccumulatorSuite.first(name, n)) sys.error("injected, before the block was whole")
      n
    }
    assert(rows.persist().count() == Rows)
    exactly(name)
  }

  test("a job after one that has failed with blocks stored is not exact") {
    val name = "failed job"
    val (rows, _) = counted(name)
    rows.persist()
    intercept[Exception](rows.mapPartitionsWithIndex { (index, all) =>
      val read = all.toVector
      if (index == 3) sys.error("injected, always")
      read.iterator
    }.count())
    assert(rows.count() == Rows)
    assert(NamedFigures.of(spark, name).forall(!_.exact))
  }

  test("two jobs at once on one cached RDD") {
    for (round <- 1 to 5) {
      val name = s"at once $round"
      val (rows, _) = counted(name)
      rows.persist()
      val began = new CountDownLatch(1)
      val threads = (1 to 2).map(_ => new Thread(() => {
        began.await()
        assert(rows.count() == Rows)
      }))
      threads.foreach(_.start())
      began.countDown()
      threads.foreach(_.join())
      exactly(name)
    }
  }

  test("a second count that a cache answers leaves the first count's figure") {
    val (rows, accumulator) = counted("twice")
    rows.persist()
    assert(rows.count() == Rows && rows.count() == Rows && accumulator.value == Rows)
    exactly("twice")
  }

  test("blocks that were lost and computed again count once") {
    val (rows, accumulator) = counted("lost")
    rows.persist()
    assert(rows.count() == Rows)
    assert(Faults.loseBlocks(rows) == 8)
    assert(rows.count() == Rows && accumulator.value == 2 * Rows)
    exactly("lost")
  }

  test("a local checkpoint whose tasks were retried is not exact, one without a failure is") {
    val (rows, _) = counted("local checkpoint")
    rows.localCheckpoint()
    assert(rows.count() == Rows && rows.count() == Rows)
    exactly("local checkpoint")

    val (again, _) = counted("local checkpoint, retried")
    again.localCheckpoint()
    assert(failing(again, _ == 0, "local checkpoint, retried").count() == Rows)
    flagged("local checkpoint, retried", "never arrived")
  }

  test("a reliable checkpoint answers, and the figure stays") {
    spark.sparkContext.setCheckpointDir(directory.resolve("checkpoints").toString)
    val (rows, _) = counted("checkpoint")
    rows.checkpoint()
    assert(rows.count() == Rows)
    assert(rows.isCheckpointed && rows.count() == Rows)
    exactly("checkpoint")
  }

  test("an accumulator above a clean cache is exact, though blocks answered") {
    val rows = spark.sparkContext.parallelize(0 until Rows, 8).persist()
    assert(rows.count() == Rows)
    val accumulator = spark.sparkContext.longAccumulator("above")
    assert(rows.map { n => accumulator.add(1); n }.count() == Rows)
    exactly("above")
  }

  test("a cached Dataset: exact where nothing failed, flagged where a retry was answered") {
    val accumulator = spark.sparkContext.longAccumulator("dataset")
    val rows = spark.range(0, Rows, 1, 8).map { n => accumulator.add(1); n.toLong }.cache()
    assert(rows.count() == Rows && rows.filter(_ > 10).count() == Rows - 11)
    exactly("dataset")

    val retried = spark.sparkContext.longAccumulator("dataset, retried")
    val cached = spark.range(0, Rows, 1, 8).map { n => retried.add(1); n.toLong }.cache()
    val failed = cached.mapPartitions { all =>
      val read = all.toVector
      val partition = TaskContext.getPartitionId()
      if (partition % 2 == 0 && NamedAccumulatorSuite.first("dataset, retried", partition)) sys.error("injected")
      read.iterator
    }
    val conf = spark.conf.get("spark.sql.adaptive.enabled")
    spark.conf.set("spark.sql.adaptive.enabled", "false")
    try assert(failed.count() == Rows)
    finally spark.conf.set("spark.sql.adaptive.enabled", conf)
    val figures = NamedFigures.of(spark, "dataset, retried")
    assert(figures.nonEmpty && figures.forall(f => !f.exact || f.committed == Rows), figures)
  }
}

object NamedAccumulatorSuite {
  private val seen = ConcurrentHashMap.newKeySet[(String, Int)]()

  /** Whether this is the first time, in this JVM. */
  def first(name: String, partition: Int): Boolean = seen.add((name, partition))
}
