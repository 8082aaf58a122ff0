package andiron.internal.metrics

import andiron.testing.MetricsSparks._
import andiron.testing.Sparks._

import org.apache.spark.TaskContext
import org.apache.spark.rdd.RDD
import org.apache.spark.sql.{Dataset, Encoders, SparkSession}
import org.scalatest.BeforeAndAfterAll
import org.scalatest.funsuite.AnyFunSuite

/** Scenarios that share an application. Each proves that its fault happened. Writes its part of build/exactness.json. */
abstract class ExactnessScenarios(group: String, master: String, conf: (String, String)*) extends AnyFunSuite with BeforeAndAfterAll {
  protected var spark: SparkSession = _
  protected val directory: java.nio.file.Path = java.nio.file.Files.createTempDirectory("exactness")
  protected val Rows = 1000

  override def beforeAll(): Unit = spark = start(master, settings(directory) ++ conf: _*)

  override def afterAll(): Unit = {
    stop(spark)
    delete(directory)
    Outcomes.write()
  }

  private def scenario(name: String, truth: Long, calls: Long, isWhole: Boolean)(body: Counted => String): Unit = test(name) {
    val counted = new Counted(spark, name, group)
    val outcome = Outcomes.note(spark, counted.outcome(truth, body(counted), calls, isWhole))
    assert(outcome.wrong.isEmpty, outcome)
    assert(isWhole || !outcome.stepExact, outcome)
  }

  /** A scenario whose step must be exact and right, and whose foreign figure right or flagged. */
  protected def exact(name: String, truth: Long = Rows)(body: Counted => String): Unit = scenario(name, truth, truth, isWhole = true)(body)

  /** A scenario in which the function is called for a part of the input: the step must say so. */
  protected def partial(name: String, calls: Long)(body: Counted => String): Unit = scenario(name, Rows, calls, isWhole = false) { c =>
    val told = body(c)
    assert(c.accumulator.value == calls, "Spark counts calls of the function too, where nothing fails")
    told
  }

  /** A scenario that the step must flag for another reason. */
  protected def flagged(name: String)(body: Counted => String): Unit = scenario(name, Rows, Rows, isWhole = false)(body)

  protected def count(c: Counted): Int => Int = {
    val (own, accumulator) = (c.own, c.accumulator)
    n => {
      own.increment()
      accumulator.add(1)
      n
    }
  }

  protected def numbers(partitions: Int = 8): RDD[Int] = spark.sparkContext.parallelize(0 until Rows, partitions)

  protected def range(partitions: Int = 8): Dataset[java.lang.Long] = spark.range(0, Rows, 1, partitions)

  protected def mapped(c: Counted, rows: RDD[Int]): RDD[Int] = c.step.map(rows)(count(c))

  protected def mapped(c: Counted, rows: Dataset[java.lang.Long]): Dataset[Long] = {
    val f = count(c)
    c.step.map(rows)(n => f(n.intValue).toLong)(Encoders.scalaLong)
  }

  /** The first attempt at each of these partitions fails, after it has read all. */
  protected def failingOnce(rows: RDD[Int], partitions: Int => Boolean = _ % 2 == 0): RDD[Int] = rows.mapPartitionsWithIndex { (index, all) =>
    val read = all.toVector
    if (partitions(index) && TaskContext.get().attemptNumber() == 0) sys.error("injected")
    read.iterator
  }

  protected def required(holds: Boolean, what: => String): String = {
    assert(holds, what)
    what
  }

  protected def withConf[A](settings: (String, String)*)(body: => A): A = {
    settings.foreach { case (key, value) => spark.conf.set(key, value) }
    try body
    finally settings.foreach { case (key, _) => spark.conf.unset(key) }
  }
}
