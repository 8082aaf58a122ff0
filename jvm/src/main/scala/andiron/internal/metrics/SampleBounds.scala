package andiron.internal.metrics

import org.apache.spark.SparkConf

import andiron.AndironConf

/**
 * Limits on the failed rows that a task may return: 64 KiB per task, and for all tasks together a tenth of Spark's
 * limit on a job's result.
 */
private[andiron] object SampleBounds {
  private val MostTaskBytes = 64L << 10

  def of(conf: SparkConf): SampleLimits = {
    val most = conf.getSizeAsBytes("spark.driver.maxResultSize", "1g")
    SampleLimits(AndironConf.MetricsSamples.in(conf), AndironConf.MetricsRecordBytes.in(conf).toInt, if (most == 0) Long.MaxValue else most / 10)
  }

  /** Whether the limit for one of `partitions` tasks comes from the limit on all tasks together. */
  def isShared(limits: SampleLimits, partitions: Int): Boolean = perTask(limits, partitions) < MostTaskBytes

  /** Byte limit for one of `partitions` tasks. */
  def perTask(limits: SampleLimits, partitions: Int): Long = math.min(MostTaskBytes, limits.jobBytes / math.max(1, partitions))
}
