package andiron.services

import java.nio.file.{Files, Paths}

import org.apache.spark.SparkContext
import org.apache.spark.sql.SparkSession
import org.apache.spark.util.LongAccumulator

/**
 * Produces many revisions by stages that change accumulators: `Revisions <accumulators> <rounds of one set> <file>`. Each round changes every
 * accumulator of the current set, which adds one revision of each; a new set follows after the given rounds. The program prints a line per round
 * and ends once the file exists.
 */
object Revisions {
  def main(arguments: Array[String]): Unit = {
    val (size, age, until) = (arguments(0).toInt, arguments(1).toInt, Paths.get(arguments(2)))
    val spark = SparkSession.builder().appName("revisions").getOrCreate()
    println(s"@ready ${spark.sparkContext.applicationId}")
    var figures = Vector.empty[LongAccumulator]
    var n = 0
    while (!Files.exists(until)) {
      if (n % age == 0) figures = Vector.tabulate(size)(figure => spark.sparkContext.longAccumulator(s"set ${n / age}, figure $figure"))
      round(spark.sparkContext, figures)
      n += 1
      println(s"@round $n")
    }
    spark.stop()
  }

  private def round(context: SparkContext, figures: Vector[LongAccumulator]): Unit =
    context.parallelize(Seq(1L, 2L), 2).foreach(n => figures.foreach(_.add(n)))
}
