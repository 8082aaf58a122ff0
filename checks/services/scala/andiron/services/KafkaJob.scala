package andiron.services

import java.nio.file.{Files, Path, Paths}

import andiron.{Andiron, Gate, Step}

import org.apache.spark.sql.{Encoders, SparkSession}
import org.slf4j.LoggerFactory

import andiron.harness.Arguments

/**
 * The application whose events go to Kafka: `rounds=<least number> until=<file> record=<characters>`. It runs rounds of a step until the file
 * exists, and prints the milliseconds of each round. Some rows of each round fail, the first one with a record of the given size. Each round
 * passes a gate and logs a warning in a task.
 */
object KafkaJob {
  private val Rows = 400L

  def main(arguments: Array[String]): Unit = {
    val option = Arguments.of(arguments)
    val spark = SparkSession.builder().getOrCreate()
    println(s"@ready ${spark.sparkContext.applicationId} ${spark.sparkContext.uiWebUrl.getOrElse("-")}")
    run(spark, option.getOrElse("rounds", "1").toInt, option.get("until").map(Paths.get(_)), option.getOrElse("record", "10").toInt)
    val begun = System.nanoTime()
    spark.stop()
    println(s"@stopped ${(System.nanoTime() - begun) / 1000000}")
  }

  private def run(spark: SparkSession, rounds: Int, until: Option[Path], record: Int): Unit = {
    var n = 0
    while (n < rounds || until.exists(!Files.exists(_))) {
      val begun = System.nanoTime()
      round(spark, n, if (n == 0) record else 10)
      n += 1
      println(s"@round $n ${(System.nanoTime() - begun) / 1000000}")
      Thread.sleep(100)
    }
  }

  private def round(spark: SparkSession, n: Int, record: Int): Unit = {
    val step = Step(spark, s"historical-data \"${n % 3}\" <b>")
    try {
      val seen = step.counter("seen")
      val kept = step.describe[java.lang.Long](id => s"$id ${"x" * record}").map(spark.range(0, Rows, 1, 4)) { id =>
        seen.increment()
        if (id == 0) LoggerFactory.getLogger("services.KafkaJob").warn("the history is old")
        if (id % 100 == 7) throw new IllegalStateException(s"no history of member $id in round $n")
        id.longValue
      }(Encoders.scalaLong)
      Andiron.guard(Gate(step, maxDropRatio = 0.1))(kept.collect()): Unit
    } finally step.close()
  }
}
