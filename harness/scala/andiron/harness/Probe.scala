package andiron.harness

import org.apache.spark.SparkEnv
import org.apache.spark.sql.SparkSession

import andiron.internal.cache.CacheStats

/** The figures of one executor's cache, asked by a task in it. */
final case class Probe(executor: String, pid: Long, figures: Map[String, Long]) {
  def apply(name: String): Long = figures.getOrElse(name, 0L)

  /** Nothing is leased, waited for or open. */
  def isQuiet: Boolean = Seq("leases", "waiting", "attempts", "cursors").forall(apply(_) == 0)
}

object Probe {
  def here(): Probe = Probe(SparkEnv.get.executorId, ProcessHandle.current().pid(), CacheStats.snapshot())

  /** One answer of each executor that a job of many short tasks reaches. */
  def each(spark: SparkSession): Seq[Probe] = {
    val tasks = 8 * math.max(2, spark.sparkContext.defaultParallelism)
    spark.sparkContext.parallelize(0 until tasks, tasks).mapPartitions { _ =>
      Thread.sleep(20)
      Iterator(here())
    }.collect().toSeq.groupBy(_.executor).toSeq.sortBy(_._1).map(_._2.last)
  }

  /** The answers once nothing is leased any more; after the seconds as they are. */
  def settled(seconds: Int)(probe: => Seq[Probe]): Seq[Probe] = {
    var found = probe
    Waiting.holds(seconds, 0) { found.forall(_.isQuiet) || { found = probe; false } }: Unit
    found
  }
}
