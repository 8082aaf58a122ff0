package andiron.cluster

import org.apache.spark.sql.SparkSession

import andiron.harness.{Probe, Waiting}

final class Executors(spark: SparkSession) {

  /** The number of executors that the driver knows. */
  private def count: Int = spark.sparkContext.statusTracker.getExecutorInfos.length - 1

  /** Waits until at least `least` executors run tasks. */
  def await(least: Int): Unit = Waiting.until(s"$least executors", 180)(count >= least && Probe.each(spark).size >= least)

  /** Waits until no executor is left. */
  def awaitNone(): Unit = Waiting.until("end of all executors", 180)(count == 0)

  def settled(): Seq[Probe] = Probe.settled(20)(Probe.each(spark))
}
