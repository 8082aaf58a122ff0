package andiron.internal.metrics

import java.nio.file.{Files, Paths}

import org.apache.spark.sql.{Encoders, SparkSession}

import andiron.{Andiron, Gate, Step}

/** Programs for spark-submit, to which something happens; the first argument says which. */
object HarmJob {
  val Rows = 1000

  def main(arguments: Array[String]): Unit = {
    val argument = arguments.drop(1)
    var spark = SparkSession.builder().getOrCreate()
    println(s"@ready ${spark.sparkContext.applicationId}")
    arguments(0) match {
      // So many rounds.
      case "rounds" => for (_ <- 1 to argument(0).toInt) round(spark)
      // A step whose name is not ASCII, and the end of the process.
      case "exit" =>
        rows(spark, Step(spark, "Größe ≥ 3")).count()
        System.exit(argument(0).toInt)
      // Rounds until the file is there.
      case "until" => while (!Files.exists(Paths.get(argument(0)))) round(spark)
      // An application for each place of a native, which panics there; the last for all of them.
      case "natives" =>
        val (file, places) = (Paths.get(argument(0)), argument(1).split(',').toSeq)
        (places :+ places.mkString(" ")).foreach { place =>
          spark.stop()
          Files.write(file, place.getBytes("UTF-8"))
          spark = SparkSession.builder().getOrCreate()
          all(spark, place)
        }
      // A write under a gate, or a guard, with one failing row in ten.
      case "write" => gated(spark, argument(1).toDouble)(_.write.parquet(argument(0)))
      case "guard" => gated(spark, argument(0).toDouble)(_.collect(): Unit)
    }
    val begun = System.nanoTime()
    spark.stop()
    println(s"@stopped ${(System.nanoTime() - begun) / 1000000}")
  }

  private def rows(spark: SparkSession, step: Step) =
    step.map(spark.range(0, Rows.toLong, 1, 4))(n => if (n % 10 == 0) throw new IllegalStateException(s"no history of member $n") else n.longValue)(Encoders.scalaLong)

  private def round(spark: SparkSession): Unit = {
    val step = Step(spark, "harmed")
    val left = rows(spark, step).collect().length
    println(s"@round $left ${step.figures.exact}")
    step.close()
  }

  /** A program that calls every native except the one for dropped events. */
  private def all(spark: SparkSession, place: String): Unit = {
    val accumulator = spark.sparkContext.longAccumulator("named")
    spark.sparkContext.parallelize(0 until 100, 4).foreach(_ => accumulator.add(1))
    round(spark)
    val step = Step(spark, "judged")
    val gate = Gate(step, maxDropRatio = 1)
    rows(spark, step).foreachPartition((all: Iterator[Long]) => all.foreach(_ => ()))
    val outcomes = Seq[() => Any](() => Andiron.guard(gate)(rows(spark, step).count()), () => Andiron.report(spark)).map { call =>
      try { call(); "ok" } catch { case e: Exception => e.getClass.getSimpleName }
    }
    step.close()
    println(s"@place $place ${accumulator.value} ${outcomes.mkString(" ")}")
  }

  private def gated(spark: SparkSession, limit: Double)(action: org.apache.spark.sql.Dataset[Long] => Unit): Unit = {
    val step = Step(spark, "gated")
    val gate = Gate(step, maxDropRatio = limit)
    Andiron.guard(gate)(action(rows(spark, step)))
  }
}
