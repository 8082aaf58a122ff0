package andiron.cluster

import org.apache.spark.SparkEnv
import org.apache.spark.sql.SparkSession

import andiron.harness.Waiting
import andiron.internal.cache.CacheStats

/** What one executor's cache says, asked by a task in it. */
final case class Probe(executor: String, figures: Map[String, Long]) {

  /** Nothing is leased, waited for or open. */
  def isQuiet: Boolean = Seq("leases", "waiting", "attempts", "cursors").forall(figures.getOrElse(_, 0L) == 0)
}

/** The executors of an application. */
final class Executors(spark: SparkSession) {

  /** How many the driver knows. */
  private def count: Int = spark.sparkContext.statusTracker.getExecutorInfos.length - 1

  /** Waits until that many take tasks. */
  def await(least: Int): Unit = Waiting.until(s"$least executors", 180)(count >= least && probe().size >= least)

  /** Waits until there is none. */
  def awaitNone(): Unit = Waiting.until("end of all executors", 180)(count == 0)

  /** One answer of each executor that a job of many short tasks reaches. */
  private def probe(): Seq[Probe] = {
    val tasks = 8 * math.max(2, spark.sparkContext.defaultParallelism)
    spark.sparkContext.parallelize(0 until tasks, tasks).mapPartitions { _ =>
      Thread.sleep(20)
      Iterator(Probe(SparkEnv.get.executorId, CacheStats.snapshot()))
    }.collect().toSeq.groupBy(_.executor).toSeq.sortBy(_._1).map(_._2.last)
  }

  /** Their answers once nothing is leased any more; after 20 s as they are. */
  def settled(): Seq[Probe] = {
    val end = System.nanoTime() + 20000000000L
    var found = probe()
    while (!found.forall(_.isQuiet) && System.nanoTime() < end) found = probe()
    found
  }
}
