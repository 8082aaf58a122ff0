package andiron.harness

import org.apache.spark.SparkEnv
import org.apache.spark.sql.SparkSession

import andiron.internal.cache.CacheStats

/** The figures of one executor's cache, read by a task in that executor. */
final case class Probe(executor: String, pid: Long, figures: Map[String, Long]) {
  def apply(name: String): Long = figures.getOrElse(name, 0L)

  /** Whether the executor has no leases, waiting tasks, open attempts or cursors. */
  def isQuiet: Boolean = Seq("leases", "waiting", "attempts", "cursors").forall(apply(_) == 0)
}

object Probe {
  def here(): Probe = Probe(SparkEnv.get.executorId, ProcessHandle.current().pid(), CacheStats.snapshot())

  /** One probe of each executor that a job of many short tasks reaches. */
  def each(spark: SparkSession): Seq[Probe] = {
    val tasks = 8 * math.max(2, spark.sparkContext.defaultParallelism)
    spark.sparkContext.parallelize(0 until tasks, tasks).mapPartitions { _ =>
      Thread.sleep(20)
      Iterator(here())
    }.collect().toSeq.groupBy(_.executor).toSeq.sortBy(_._1).map(_._2.last)
  }

  /** The probes once all of them are quiet; after `seconds` the last ones. */
  def settled(seconds: Int)(probe: => Seq[Probe]): Seq[Probe] = {
    var found = probe
    Waiting.holds(seconds, 0) { found.forall(_.isQuiet) || { found = probe; false } }: Unit
    found
  }
}
