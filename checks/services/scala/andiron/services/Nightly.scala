package andiron.services

import org.apache.spark.sql.{Encoders, SparkSession}
import org.slf4j.LoggerFactory

import andiron._

/** A job with a step, an accumulator, a warning and a gate: `Nightly <n> <folder>`, where the step drops one row in n. */
object Nightly {

  def main(arguments: Array[String]): Unit = {
    val every = arguments(0).toLong
    val spark = SparkSession.builder().appName("nightly").getOrCreate()
    try {
      println(s"application: ${spark.sparkContext.applicationId}")
      val history = Step(spark, "history")
      val odd = history.counter("odd")
      Gate(history, maxDropRatio = 0.01)
      val seen = spark.sparkContext.longAccumulator("seen")
      val rows = history.map(spark.range(0, 1000, 1, 2)) { n =>
        seen.add(1)
        if (n == 0) LoggerFactory.getLogger("nightly.Cache").warn("the cache is slow")
        if (n % 2 == 1) odd.increment(): Unit
        if (n % every == 0) sys.error(s"no history of member $n") else n.longValue
      }(Encoders.scalaLong)
      try rows.write.parquet(arguments(1))
      catch { case e: Exception => println(s"refused: $e") }
    } finally spark.stop()
  }
}
