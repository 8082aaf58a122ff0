package andiron.internal.metrics

import org.apache.spark.SparkConf

import andiron.AndironConf

/** How much a task may return of its failed rows: 64 KiB, and all tasks together a tenth of what Spark lets a job return. */
private[andiron] object SampleBounds {
  private val MostTaskBytes = 64L << 10

  def of(conf: SparkConf): SampleLimits = {
    val most = conf.getSizeAsBytes("spark.driver.maxResultSize", "1g")
    SampleLimits(AndironConf.MetricsSamples.in(conf), AndironConf.MetricsRecordBytes.in(conf).toInt, if (most == 0) Long.MaxValue else most / 10)
  }

  /** Whether the tasks together, and not one alone, are what limits one of `partitions` tasks. */
  def isShared(limits: SampleLimits, partitions: Int): Boolean = perTask(limits, partitions) < MostTaskBytes

  /** Bytes for one of `partitions` tasks. */
  def perTask(limits: SampleLimits, partitions: Int): Long = math.min(MostTaskBytes, limits.jobBytes / math.max(1, partitions))
}
