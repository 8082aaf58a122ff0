package andiron.internal.metrics

import org.apache.spark.andironshim.{Faults, Witness}
import org.apache.spark.sql.SparkSession
import org.apache.spark.util.LongAccumulator

import andiron.{Step, StepCounter}
import andiron.internal.util.Json

/** A step, its own counter and a named accumulator that count the same rows, and a witness of the tasks and stages. */
final class Counted(val spark: SparkSession, val scenario: String, group: String) {
  val step: Step = Step(spark, scenario)
  val own: StepCounter = step.counter("rows")
  val accumulator: LongAccumulator = spark.sparkContext.longAccumulator(s"rows of $scenario")
  val witness = new Witness(spark.sparkContext)
  spark.sparkContext.addSparkListener(witness)

  private var named: (String, () => Long) = (s"rows of $scenario", () => accumulator.value)

  /** Another named accumulator stands in the row, with Spark's value of it. */
  def instead(name: String)(value: => Long): Unit = named = (name, () => value)

  /** The current figures of all ways of counting. */
  def outcome(truth: Long, provoked: String, calls: Long, isWhole: Boolean): Outcome = {
    Faults.drain(spark.sparkContext)
    val figures = step.figures
    val (foreign, exact, reason) = Counted.foreign(spark, named._1)
    val result = Outcome(group, scenario, provoked, truth, calls, isWhole, named._2(), witness.stageSum(named._1),
      figures("rows"), figures.exact, figures.reason, foreign, exact, reason)
    spark.sparkContext.removeSparkListener(witness)
    step.close()
    result
  }
}

object Counted {

  /**
   * Andiron's figure for a named accumulator, at the terminal RDD with the greatest one; exact if it is at all of them, and if they agree.
   */
  def foreign(spark: SparkSession, name: String): (Long, Boolean, String) = {
    val application = MetricsApplication.of(spark.sparkContext).get
    application.barrier(20000)
    var figures = Vector.empty[(Long, Boolean, String)]
    Json.parse(application.figures()).path("accumulators").forEach { figure =>
      if (figure.path("acc").asText() == name)
        figures :+= ((figure.path("committed").asLong(), figure.path("exact").asBoolean(), figure.path("reason").asText()))
    }
    if (figures.isEmpty) (0L, false, "nothing of it has arrived")
    else (figures.map(_._1).max, figures.forall(_._2) && figures.map(_._1).distinct.size == 1, figures.map(_._3).filter(_.nonEmpty).distinct.mkString("; "))
  }
}
