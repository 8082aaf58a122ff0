package andiron.crashes

import andiron.testing.Sparks.causeOf
import andiron.{Gate, GateException, Step, StepFigures}
import andiron.internal.metrics.MetricsApplication

import org.apache.spark.sql.{Encoders, SparkSession}

/**
 * The driver that is killed: `CrashJob <output> [<rounds>]`. Each round is a step of its own with failing rows and a gate before a write,
 * which every fourth gate refuses. Prints a round once it is durable.
 */
object CrashJob {
  val Rows = 600

  /** One row of so many fails. */
  def every(round: Int): Int = 20 + round % 7

  def dropped(round: Int): Long = (0 until Rows).count(_ % every(round) == 0).toLong

  /** Whether the round's gate refuses its write. */
  def isRefused(round: Int): Boolean = round % 4 == 3

  def main(arguments: Array[String]): Unit = {
    println("@main")
    val spark = SparkSession.builder().getOrCreate()
    println(s"@ready ${spark.sparkContext.applicationId}")
    val rounds = arguments.drop(1).headOption.fold(Int.MaxValue)(_.toInt)
    Iterator.from(1).takeWhile(_ <= rounds).foreach { number =>
      val (figures, passed) = round(spark, arguments(0), number)
      val durable = MetricsApplication.of(spark.sparkContext).exists(_.flush(20000))
      if (durable) println(s"@flushed $number ${figures.in} ${figures.out} ${figures.dropped} $passed")
    }
    spark.stop()
    println("@done")
  }

  private def round(spark: SparkSession, output: String, number: Int): (StepFigures, Boolean) = {
    val step = Step(spark, s"round-$number")
    Gate(step, maxDropRatio = if (isRefused(number)) 0.001 else 0.5)
    val each = every(number)
    val rows = step.keyed[java.lang.Long](n => n).map(spark.range(0, Rows.toLong, 1, 3)) { n =>
      if (n % each == 0) throw new IllegalStateException(s"no history of member $n") else n.longValue
    }(Encoders.scalaLong)
    val passed =
      try {
        rows.write.mode("overwrite").json(s"$output/round")
        true
      } catch {
        case e: Exception =>
          causeOf[GateException](e)
          false
      }
    val figures = step.figures
    step.close()
    (figures, passed)
  }
}
