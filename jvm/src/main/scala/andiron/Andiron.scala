package andiron

import org.apache.spark.sql.SparkSession

import andiron.internal.{CacheStats, DriverReports, GateKeeper, MetricsApplication}

/**
 * The figures of one executor's cache.
 *
 * @param executor Spark's executor id; `driver` for the driver's own process
 * @param figures by name, as docs/figures.md defines them
 * @param isFinal the executor has ended, and these were its last
 */
final case class ExecutorCacheStats(executor: String, figures: Map[String, Long], isFinal: Boolean) {

  /** The figure of that name; 0 if the executor has not reported it. */
  def apply(name: String): Long = figures.getOrElse(name, 0L)
}

/** What concerns the whole of Andiron in an application. */
object Andiron {

  /**
   * The cache's figures of every process that has used it, on the driver. Those of the driver's process are the current ones; those of
   * executors come with the plugin only and are as old as `spark.andiron.cache.reportInterval`.
   */
  def cacheStats(spark: SparkSession): Seq[ExecutorCacheStats] = {
    AndironConf.requireEnabled(spark.sparkContext.getConf)
    val here = CacheStats.snapshot()
    val reported = DriverReports.latest.toSeq.flatMap(_.stats)
    val own = if (here.isEmpty) Seq.empty else Seq(ExecutorCacheStats(Driver, here, isFinal = false))
    own ++ reported.filterNot(stats => own.nonEmpty && stats.executor == Driver)
  }

  /**
   * Runs `body`, and throws a GateException if one of the gates fails then: after RDD saves, writes of DSv2, Delta and Iceberg, `collect` and
   * everything else that no commit of Andiron's stands before. What `body` has published stays.
   */
  def guard[A](gates: Gate*)(body: => A): A = {
    val result =
      try body
      catch {
        case e: Throwable => throw judged(gates).map(failure => { failure.addSuppressed(e); failure }).filter(_ => GateKeeper.isOurs(e)).getOrElse(e)
      }
    judged(gates).foreach(failure => throw failure)
    result
  }

  private def judged(gates: Seq[Gate]): Option[GateException] =
    gates.iterator.flatMap(gate => gate.step.application match {
      case Some(application) => application.gates.verdict(gate, "guard")
      case None              => Some(GateException.unknown(gate.step, MetricsApplication.whyOff))
    }).buffered.headOption

  /** The report on the application so far, as text. */
  def report(spark: SparkSession): String = report(spark, html = false)

  /** The same as one HTML page. */
  def reportHtml(spark: SparkSession): String = report(spark, html = true)

  private def report(spark: SparkSession, html: Boolean): String = MetricsApplication.of(spark.sparkContext) match {
    case Some(application) => application.report(html)
    case None => throw AndironException.of(ErrorCode.NotConfigured, s"there is no report, since metrics are off: ${MetricsApplication.whyOff}", null)
  }

  private val Driver = "driver"
}
