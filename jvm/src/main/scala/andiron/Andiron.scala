package andiron

import java.util.concurrent.Executor

import org.apache.spark.sql.{DataFrame, SparkSession}

import andiron.internal.cache.{CacheStats, DriverReports}
import andiron.internal.metrics.{FailureFrame, GateKeeper, GuardSession, MetricsApplication, TaskScope}

/**
 * Figures of one executor's cache.
 *
 * @param executor Spark's executor id; `driver` for the driver's own process
 * @param figures values by name, as defined in docs/guide/figures.md
 * @param isFinal the executor has ended, and these figures are its last
 */
final case class ExecutorCacheStats(executor: String, figures: Map[String, Long], isFinal: Boolean) {

  /** The figure `name`; 0 if the executor has not reported it. */
  def apply(name: String): Long = figures.getOrElse(name, 0L)
}

/** Functions for the whole application: cache figures, guards, failed rows and reports. */
object Andiron {

  /**
   * Cache figures of every process that has used the cache. The driver's own figures are current; executors' figures
   * require the plugin and are at most `spark.andiron.cache.reportInterval` old. Call it on the driver.
   */
  def cacheStats(spark: SparkSession): Seq[ExecutorCacheStats] = {
    AndironConf.requireEnabled(spark.sparkContext.getConf)
    val here = CacheStats.snapshot()
    val reported = DriverReports.latest.toSeq.flatMap(_.stats)
    val own = if (here.isEmpty) Seq.empty else Seq(ExecutorCacheStats(Driver, here, isFinal = false))
    own ++ reported.filterNot(stats => own.nonEmpty && stats.executor == Driver)
  }

  /**
   * The figures of [[cacheStats]] combined, by name: counters are summed, gauges are summed over the processes that are
   * not final, and maximums (`maxLeasedBytes`, `sufficientBytes`) give the greatest value of any process, because each
   * process has its own budget.
   */
  def cacheTotals(spark: SparkSession): Map[String, Long] = {
    val all = cacheStats(spark)
    if (all.isEmpty) Map.empty else CacheStats.total(all)
  }

  /** Judges actions that do not go through Andiron's commit protocol. */
  object guard {

    /**
     * Runs `body`, then throws a GateException if one of the gates does not pass. Suitable for RDD saves, writes of
     * DSv2, Delta and Iceberg, `collect` and any other action. Covers the jobs of the calling thread and of threads
     * that `body` starts; for threads of a pool see [[wrap]]. Output that `body` has published stays.
     */
    def apply[A](gates: Gate*)(body: => A): A = {
      val session = new GuardSession(gates)
      try {
        val result =
          try body
          catch {
            case e: Throwable if GateKeeper.isOurs(e) =>
              session.leave()
              throw session.failure.map { failure => failure.addSuppressed(e); failure }.getOrElse(e)
          } finally session.leave()
        session.judge()
        result
      } finally session.close()
    }

    /** An executor that runs its tasks on `executor`, under the guards that enclose the caller of this method. */
    def wrap(executor: Executor): Executor = MetricsApplication.running match {
      case Some(application) =>
        val (context, around) = (application.context, application.context.getLocalProperty(TaskScope.Guards))
        (task: Runnable) => executor.execute { () =>
          val before = context.getLocalProperty(TaskScope.Guards)
          context.setLocalProperty(TaskScope.Guards, around)
          try task.run()
          finally context.setLocalProperty(TaskScope.Guards, before)
        }
      case None => executor
    }
  }

  /**
   * Samples of the failed rows in all steps of this application, one row each: all failed rows of a step up to
   * `spark.andiron.metrics.samples`, beyond that those with the smallest hashes.
   *
   *  - `app_id`, `app_attempt`, `run_id`: the application;
   *  - `step`, `site`: the operator in which the row failed;
   *  - `error_class`, `message`, `stack`, `stack_hash`: the error; `group`: its group from [[StepRows.group]];
   *  - `row_key`, `key_hash`, `record`, `record_cut`, `version`: the row, as the step's operator shows it;
   *  - `stage`, `stage_attempt`, `partition`, `task_attempt`, `executor`, `host`, `time`: the task that computed the
   *    row;
   *  - `committed`: whether that task attempt counts; `count`: rows of the task with the same key or the same
   *    appearance.
   *
   * The samples are read when this method is called and do not change afterwards. Throws if metrics are off.
   */
  def failures(spark: SparkSession): DataFrame = FailureFrame.of(spark, MetricsApplication.of(spark.sparkContext), FailureFrame.AllSteps)

  /**
   * The samples of all applications, including ended ones, whose logs are in a local directory (as in
   * `spark.andiron.log.dir`) or in an archive (as in `spark.andiron.log.archive`).
   */
  def failures(spark: SparkSession, logDirectory: String): DataFrame = FailureFrame.ofLogs(spark, logDirectory, None)

  /** The samples of the latest attempt of one application in a log directory or archive. */
  def failures(spark: SparkSession, logDirectory: String, application: String): DataFrame = FailureFrame.ofLogs(spark, logDirectory, Some(application))

  /** The report on the application up to now, as text. */
  def report(spark: SparkSession): String = report(spark, html = false)

  /** The report on the application up to now, as one HTML page. */
  def reportHtml(spark: SparkSession): String = report(spark, html = true)

  private def report(spark: SparkSession, html: Boolean): String = MetricsApplication.of(spark.sparkContext) match {
    case Some(application) => application.report(html)
    case None => throw AndironException.of(ErrorCode.NotConfigured, s"there is no report, since metrics are off: ${MetricsApplication.whyOff}", null)
  }

  private val Driver = "driver"
}
