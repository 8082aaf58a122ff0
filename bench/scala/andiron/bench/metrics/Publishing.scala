package andiron.bench.metrics

import org.apache.spark.sql.{Encoders, SparkSession}

import andiron.{Andiron, Gate, Step}
import andiron.bench.Options
import andiron.internal.metrics.AtlasPublisher

/** An application with enough steps to publish the maximum number of series, and the CPU time of its publisher thread. */
object Publishing {
  private val PublisherThread = "andiron-atlas"

  def run(spark: SparkSession, options: Options): Seq[Map[String, Any]] = {
    val (steps, seconds) = (options.int("steps"), options.int("seconds"))
    val all = (0 until steps).map(i => Step(spark, s"step-$i"))
    all.zipWithIndex.foreach { case (step, i) => count(spark, step, i, 100) }
    Andiron.guard(Gate(all.head, maxDropRatio = 0.5))(count(spark, all.head, 0, 100))
    // From here on every series exists.
    Thread.sleep(2000)
    val before = cpu()
    val begun = System.nanoTime()
    var round = 0
    while (System.nanoTime() - begun < seconds * 1000000000L) {
      count(spark, all(round % steps), round, 1000)
      round += 1
      Thread.sleep(500)
    }
    val wall = System.nanoTime() - begun
    val taken = cpu() - before
    val figures = andiron.internal.util.Json.parse(AtlasPublisher.running.getOrElse(throw new IllegalStateException("nothing publishes")).figures)
    val points = Seq("left_out", "sent", "refused", "unanswered", "late").map(name => name -> figures.path(name).asLong())
    Seq(Map[String, Any]("wall_s" -> wall / 1e9, "cpu_s" -> taken / 1e9, "steps" -> steps) ++ points)
  }

  private def count(spark: SparkSession, step: Step, seed: Int, rows: Long): Unit = {
    step.map(spark.range(0, rows, 1, 2)) { n => if (n % (7 + seed % 13) == 0) throw new IllegalStateException(s"row $n") else n.longValue }(Encoders.scalaLong).collect()
    ()
  }

  /** The CPU time of the publisher thread. */
  private def cpu(): Long = ThreadCpu.all().values.filter(_._1 == PublisherThread).toSeq match {
    case Seq((_, nanos)) => nanos
    case found           => throw new IllegalStateException(s"${found.size} threads are called $PublisherThread")
  }
}
