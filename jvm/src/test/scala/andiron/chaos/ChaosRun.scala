package andiron.chaos

import java.nio.file.Path

import scala.util.control.NonFatal

import org.apache.spark.andironshim.{Faults, Witness}
import org.apache.spark.sql.SparkSession

import andiron.{Gate, Step}
import andiron.internal.metrics.NamedFigures

/** One seed: pipelines until there are enough stages and accumulators, and the checks of their figures. */
final class ChaosRun(val spark: SparkSession, val directory: Path, val seed: Long, val isSpeculative: Boolean, val tally: Tally) {
  val choices = new Choices(seed)
  val witness = new Witness(spark.sparkContext)
  spark.sparkContext.addSparkListener(witness)

  /** The limit of a gate is above the drop ratio of the step's best places, and below that of the worst. */
  val steps: Vector[CountedStep] = Vector.tabulate(ChaosRun.Steps) { n =>
    val step = Step(spark, s"chaos-$seed-$n")
    val limit = if (n < 3) Some(Seq(0.001, 0.01, 0.05)(n)) else None
    limit.foreach(most => Gate(step, maxDropRatio = most))
    new CountedStep(step, limit, n)
  }
  var named: Vector[NamedCount] = Vector.empty

  /** An accumulator that has a number of its own in its name. */
  def accumulator(): org.apache.spark.util.LongAccumulator = spark.sparkContext.longAccumulator(s"chaos-${named.size}")

  def run(): Unit = {
    var line = 0
    while (line < ChaosRun.Lines || witness.stages < ChaosRun.Stages || named.size < ChaosRun.Named) {
      val pipeline = line % 4 match {
        case 1 | 3 => new DatasetLine(this, line)
        case _     => new RddLine(this, line)
      }
      pipeline.run()
      if (line % 4 == 2) new UnsteadyWrite(this, line).run()
      line += 1
    }
  }

  /** Runs an action until it succeeds: a job may fail for good where executors go down one after the other. */
  def succeeding[A](what: String)(action: => A): A = {
    var left = 4
    var result: Option[A] = None
    while (result.isEmpty) {
      try result = Some(action)
      catch {
        case NonFatal(e) if left > 0 && ChaosRun.gate(e).isEmpty =>
          left -= 1
          tally.add("jobs_failed")
          println(s"    $what failed and runs again: ${String.valueOf(e.getMessage).linesIterator.take(1).mkString}")
      }
    }
    result.get
  }

  def check(): Unit = {
    Faults.drain(spark.sparkContext)
    named.foreach(checkNamed)
    steps.foreach(checkStep)
    tally.add("stages", witness.stages.toLong)
    Seq("success" -> "tasks", "ExceptionFailure" -> "tasks_failed", "FetchFailed" -> "fetch_failures", "Resubmitted" -> "resubmitted",
      "later stage attempt" -> "later_attempts", "speculative copy" -> "speculative_copies", "TaskKilled" -> "tasks_killed").foreach { case (of, name) =>
      tally.add(name, witness.of(of))
    }
  }

  private def checkNamed(count: NamedCount): Unit = {
    val name = count.accumulator.name.get
    val figures = NamedFigures.of(spark, name)
    tally.add("named")
    if (count.accumulator.value != count.truth) tally.add("spark_wrong")
    val wrong = figures.filter(figure => figure.exact && figure.committed != count.truth.toDouble)
    if (wrong.nonEmpty) {
      tally.add("named_wrong")
      tally.complain(s"$name: ${count.truth} is right, Spark has ${count.accumulator.value}, exact and wrong: $wrong of $figures")
    } else if (figures.isEmpty) tally.add("named_unseen")
    else tally.add(if (figures.forall(_.exact)) "named_exact" else "named_flagged")
  }

  private def checkStep(counted: CountedStep): Unit = {
    val (figures, places) = (counted.step.figures, counted.places)
    val truth = (places.map(_.in).sum, places.map(_.dropped).sum, places.map(_.own).sum)
    val isRight = (figures.in, figures.dropped, figures("own")) == truth
    val isWhole = places.forall(_.isWhole)
    tally.add("steps")
    if (figures.exact && isRight) tally.add("steps_exact")
    else if (!figures.exact && figures.reason.nonEmpty && !isWhole) tally.add("steps_flagged")
    else {
      tally.add("steps_wrong")
      tally.complain(s"${counted.step}: (in, dropped, own) $truth is right, ${places.count(_.isWhole)} of ${places.size} places were read whole, and it says $figures")
    }
  }
}

object ChaosRun {
  val Stages = 70
  val Named = 40
  val Steps = 6
  val Lines = 8

  /** The exception of a gate among the causes. */
  def gate(error: Throwable): Option[andiron.GateException] =
    Iterator.iterate(error)(_.getCause).takeWhile(_ != null).collectFirst { case e: andiron.GateException => e }
}
