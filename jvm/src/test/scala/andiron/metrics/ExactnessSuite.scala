package andiron.metrics

import andiron.testing.MetricsSparks._
import andiron.testing.Sparks._
import andiron.testing.SuiteRunner

import org.apache.spark.TaskContext
import org.apache.spark.andiron.Faults
import org.apache.spark.rdd.RDD
import org.apache.spark.sql.{Dataset, Encoders, SparkSession}
import org.apache.spark.sql.functions.{col, lit}
import org.apache.spark.storage.StorageLevel
import org.junit.runner.RunWith
import org.scalatest.BeforeAndAfterAll
import org.scalatest.funsuite.AnyFunSuite

/** Every scenario proves that its fault happened. Writes its part of build/exactness.json. */
@RunWith(classOf[SuiteRunner])
class ExactnessSuite extends AnyFunSuite with BeforeAndAfterAll {
  private var spark: SparkSession = _
  private val directory = java.nio.file.Files.createTempDirectory("exactness")
  private val Rows = 1000

  override def beforeAll(): Unit = spark = start("local[2]", settings(directory) :+ ("spark.sql.shuffle.partitions" -> "20"): _*)

  override def afterAll(): Unit = {
    stop(spark)
    delete(directory)
    Outcomes.write()
  }

  /** A scenario whose step must be exact and right, and whose foreign figure right or flagged. */
  private def exact(scenario: String, truth: Long = Rows)(body: Counted => String): Unit = test(scenario) {
    val counted = new Counted(spark, scenario)
    val outcome = Outcomes.note(spark, counted.outcome(truth, body(counted)))
    assert(outcome.provoked.nonEmpty, outcome)
    assert(outcome.step == truth && outcome.stepExact, outcome)
    assert(outcome.foreign == truth || !outcome.foreignExact, outcome)
  }

  /** A scenario in which part of the input is read: flagged. */
  private def partial(scenario: String)(body: Counted => String): Unit = test(scenario) {
    val counted = new Counted(spark, scenario)
    val outcome = Outcomes.note(spark, counted.outcome(Rows, body(counted)))
    assert(!outcome.stepExact && outcome.stepReason.nonEmpty && outcome.step < Rows, outcome)
    assert(!outcome.foreignExact, outcome)
  }

  private def count(c: Counted): Int => Int = {
    val (own, accumulator) = (c.own, c.accumulator)
    n => {
      own.increment()
      accumulator.add(1)
      n
    }
  }

  private def numbers(partitions: Int = 8): RDD[Int] = spark.sparkContext.parallelize(0 until Rows, partitions)

  private def mapped(c: Counted, rows: RDD[Int]): RDD[Int] = c.step.map(rows)(count(c))

  private def mapped(c: Counted, rows: Dataset[java.lang.Long]): Dataset[Long] = {
    val f = count(c)
    c.step.map(rows)(n => f(n.intValue).toLong)(Encoders.scalaLong)
  }

  private def range(partitions: Int = 8): Dataset[java.lang.Long] = spark.range(0, Rows, 1, partitions)

  private def required(holds: Boolean, what: => String): String = {
    assert(holds, what)
    what
  }

  exact("clean run") { c =>
    assert(mapped(c, numbers()).count() == Rows)
    "nothing"
  }

  exact("map stage retried after a fetch failure") { c =>
    val shuffled = mapped(c, numbers()).map(n => (n % 7, n)).groupByKey(4)
    val shuffle = Faults.shuffleOf(shuffled)
    val groups = shuffled.mapPartitions { rows =>
      val task = TaskContext.get()
      if (task.stageAttemptNumber() == 0 && task.partitionId() == 2) Faults.failFetch(shuffle)
      rows
    }
    assert(groups.map(_._2.size).sum() == Rows)
    required(c.witness.of("FetchFailed") > 0 && c.witness.of("later stage attempt") > 0,
      s"${c.witness.of("FetchFailed")} fetch failures, ${c.witness.of("later stage attempt")} tasks in later stage attempts")
  }

  exact("shuffle lost, recomputed by a later job") { c =>
    val shuffled = mapped(c, numbers()).map(n => (n % 7, n)).groupByKey(4)
    assert(shuffled.count() == 7)
    Faults.loseShuffle(Faults.shuffleOf(shuffled))
    val before = c.witness.of("success")
    assert(shuffled.count() == 7)
    required(c.witness.of("success") - before == 12, s"${c.witness.of("success") - before} tasks of the second job")
  }

  exact("a retry that contributes zero", truth = 0) { c =>
    val (own, accumulator) = (c.own, c.accumulator)
    val rows = c.step.map(numbers()) { n =>
      if (TaskContext.get().stageAttemptNumber() == 0) {
        own.increment()
        accumulator.add(1)
      }
      n
    }
    val shuffled = rows.map(n => (n % 7, n)).groupByKey(4)
    val shuffle = Faults.shuffleOf(shuffled)
    val groups = shuffled.mapPartitions { all =>
      if (TaskContext.get().stageAttemptNumber() == 0) Faults.failFetch(shuffle)
      all
    }
    assert(groups.count() == 7)
    required(c.witness.of("later stage attempt") >= 12, s"${c.witness.of("later stage attempt")} tasks in later stage attempts, all maps among them")
  }

  exact("orderBy samples its input") { c =>
    assert(mapped(c, range()).orderBy(col("value").desc).collect().head == Rows - 1)
    required(c.accumulator.value == 2 * Rows, "the rows were computed twice")
  }

  exact("sortBy of an RDD") { c =>
    assert(mapped(c, numbers()).sortBy(n => -n).first() == Rows - 1)
    required(c.accumulator.value > Rows, "the rows were computed more than once")
  }

  exact("cached block lost") { c =>
    val cached = mapped(c, numbers()).persist(StorageLevel.MEMORY_ONLY)
    assert(cached.count() == Rows)
    val lost = Faults.loseBlocks(cached)
    assert(lost == 8)
    assert(cached.count() == Rows)
    cached.unpersist()
    required(c.accumulator.value == 2 * Rows, s"the rows of lost blocks were computed again: ${c.accumulator.value - Rows}")
  }

  exact("unpersist and reuse") { c =>
    val cached = mapped(c, range()).cache()
    assert(cached.count() == Rows)
    cached.unpersist(true)
    assert(cached.count() == Rows)
    required(c.accumulator.value == 2 * Rows, "the rows were computed twice")
  }

  exact("two actions on an RDD") { c =>
    val rows = mapped(c, numbers())
    assert(rows.count() == Rows && rows.filter(_ > 10).count() > 0)
    required(c.accumulator.value == 2 * Rows, "the rows were computed twice")
  }

  exact("two actions on a Dataset") { c =>
    val rows = mapped(c, range())
    assert(rows.count() == Rows && rows.where("value > 10").count() > 0)
    required(c.accumulator.value == 2 * Rows, "the rows were computed twice")
  }

  exact("adaptive execution coalesces") { c =>
    val rows = mapped(c, range().repartition(col("id")).as[java.lang.Long](Encoders.LONG))
    assert(rows.collect().length == Rows)
    val plan = rows.queryExecution.executedPlan.toString
    required(plan.contains("coalesced"), "the executed plan says 'coalesced'")
  }

  exact("adaptive execution splits a skewed join") { c =>
    val conf = Seq("spark.sql.adaptive.skewJoin.skewedPartitionThresholdInBytes" -> "1k", "spark.sql.adaptive.advisoryPartitionSizeInBytes" -> "1k",
      "spark.sql.adaptive.skewJoin.skewedPartitionFactor" -> "1", "spark.sql.autoBroadcastJoinThreshold" -> "-1",
      "spark.sql.adaptive.autoBroadcastJoinThreshold" -> "-1", "spark.sql.adaptive.coalescePartitions.enabled" -> "false")
    val rows = withConf(conf: _*) {
      val left = spark.range(0, Rows, 1, 8).select((col("id") % 5).as("k"), (col("id") % 5 * 0 + lit(0)).as("skew"), col("id"))
        .selectExpr("if(id < 950, 0, k) as k", "id", "repeat(cast(id as string), 20) as filler")
      val right = spark.range(0, 5, 1, 2).withColumnRenamed("id", "k").selectExpr("k", "repeat('x', 100) as wide")
      val joined = left.join(right, "k").select(col("id")).as[java.lang.Long](Encoders.LONG)
      val rows = mapped(c, joined)
      assert(rows.collect().length == Rows)
      rows
    }
    required(rows.queryExecution.executedPlan.toString.contains("skewed"), "the executed plan says 'skewed'")
  }

  exact("a plan run once whole and once coalesced") { c =>
    val rows = mapped(c, range().selectExpr("id * 7 % 1009 as id").groupBy("id").count().select(col("id")).as[java.lang.Long](Encoders.LONG))
    val whole = withConf("spark.sql.adaptive.enabled" -> "false") {
      assert(rows.count() == Rows)
      c.witness.of("success")
    }
    assert(rows.count() == Rows)
    val coalesced = c.witness.of("success") - whole
    required(c.accumulator.value == 2 * Rows && coalesced < whole, s"$whole tasks, then $coalesced")
  }

  partial("take") { c =>
    assert(mapped(c, numbers()).take(5).length == 5)
    required(c.accumulator.value < Rows, s"${c.accumulator.value} rows were computed")
  }

  partial("limit") { c =>
    assert(mapped(c, range()).limit(10).collect().length == 10)
    required(c.accumulator.value < Rows, s"${c.accumulator.value} rows were computed")
  }

  exact("take, then all") { c =>
    val rows = mapped(c, numbers())
    assert(rows.take(5).length == 5 && rows.count() == Rows)
    required(c.accumulator.value > Rows, "rows were computed more than once")
  }

  exact("cartesian") { c =>
    val rows = mapped(c, numbers(4))
    assert(spark.sparkContext.parallelize(0 until 3, 3).cartesian(rows).count() == 3 * Rows)
    required(c.accumulator.value == 3 * Rows, "the rows were computed three times")
  }

  exact("union with itself", truth = Rows) { c =>
    val rows = mapped(c, numbers())
    assert(rows.union(rows).coalesce(2).count() == 2 * Rows)
    required(c.accumulator.value == 2 * Rows, "the rows were computed twice")
  }

  private def withConf[A](settings: (String, String)*)(body: => A): A = {
    settings.foreach { case (key, value) => spark.conf.set(key, value) }
    try body
    finally settings.foreach { case (key, _) => spark.conf.unset(key) }
  }
}
