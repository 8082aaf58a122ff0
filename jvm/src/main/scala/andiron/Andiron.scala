package andiron

import java.util.concurrent.Executor

import org.apache.spark.sql.{DataFrame, SparkSession}

import andiron.internal.cache.{CacheStats, DriverReports}
import andiron.internal.metrics.{FailureFrame, GateKeeper, GuardSession, MetricsApplication, TaskScope}

/**
 * The figures of one executor's cache.
 *
 * @param executor Spark's executor id; `driver` for the driver's own process
 * @param figures by name, as docs/guide/figures.md defines them
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
   * The figures of [[cacheStats]] as one, by name: gauges of the processes that live and counters are summed, of a maximum (`maxLeasedBytes`,
   * `sufficientBytes`) the greatest process's is taken, since each has a budget of its own.
   */
  def cacheTotals(spark: SparkSession): Map[String, Long] = {
    val all = cacheStats(spark)
    if (all.isEmpty) Map.empty else CacheStats.total(all)
  }

  /** Judges what no commit of Andiron's stands before. */
  object guard {

    /**
     * Runs `body`, and throws a GateException if one of the gates does not pass then: after RDD saves, writes of DSv2, Delta and Iceberg,
     * `collect` and everything else. Judged are the jobs of the calling thread and of threads that the body starts; for the threads of a pool see
     * [[wrap]]. What `body` has published stays.
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

    /** Runs what it is given on `executor`, under the guards that are around the caller of this method. */
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
   * The samples of the rows that have failed so far in the steps of this application, one row each: all of a step up to `spark.andiron.metrics.samples`,
   * beyond it those with the smallest hashes.
   *
   *  - `app_id`, `app_attempt`, `run_id`: the application;
   *  - `step`, `site`: where the row failed;
   *  - `error_class`, `message`, `stack`, `stack_hash`: why; `group`: what [[StepRows.group]] calls that;
   *  - `row_key`, `key_hash`, `record`, `record_cut`, `version`: the row, as the step's operator shows it;
   *  - `stage`, `stage_attempt`, `partition`, `task_attempt`, `executor`, `host`, `time`: the task that has seen it;
   *  - `committed`: that task's attempt is the one that counts; `count`: rows of the task with that key, or that look the same.
   *
   * What is there is read when this is called, and does not change. Throws if metrics are off.
   */
  def failures(spark: SparkSession): DataFrame = FailureFrame.of(spark, MetricsApplication.of(spark.sparkContext), FailureFrame.AllSteps)

  /**
   * The same of all applications that have a log in a directory of this machine, as `spark.andiron.log.dir` is, or in an archive, as
   * `spark.andiron.log.archive` is: also of those that have ended.
   */
  def failures(spark: SparkSession, logDirectory: String): DataFrame = FailureFrame.ofLogs(spark, logDirectory, None)

  /** The same of one application, its latest attempt. */
  def failures(spark: SparkSession, logDirectory: String, application: String): DataFrame = FailureFrame.ofLogs(spark, logDirectory, Some(application))

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
