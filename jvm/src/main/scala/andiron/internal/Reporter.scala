package andiron.internal

import scala.util.control.NonFatal

import org.apache.spark.SparkEnv
import org.apache.spark.api.plugin.PluginContext

import andiron.AndironConf
import andiron.internal.cache.{CacheStats, ExecutorCache, ExecutorReport, ReportAnswer}
import andiron.internal.metrics.OutsideAdds
import andiron.internal.util.{CallbackGuard, DaemonThread}

/**
 * An executor's daemon thread that reports the cache's figures to the driver every `interval` ms and closes the
 * catalogs that the driver has closed.
 */
private[andiron] final class Reporter(plugin: PluginContext, interval: Long) extends Runnable {
  private val thread = DaemonThread("andiron-reporter", this)
  thread.setContextClassLoader(getClass.getClassLoader) // used by Spark's RPC

  private val guard = new CallbackGuard
  private val env = SparkEnv.get
  @volatile private var known = 0
  @volatile private var isClosed = false

  def start(): Unit = thread.start()

  override def run(): Unit = while (!isClosed) {
    try {
      Thread.sleep(interval)
      // Confirms a newly closed catalog at once, because the driver waits for the confirmation.
      while (!isClosed && guard.value("report to the driver", false)(report())) {}
    } catch {
      case _: InterruptedException => // closed
    }
  }

  /** Sends one report; returns whether the answer closed further catalogs. */
  private def report(): Boolean =
    try {
      tellOutside()
      ReportAnswer.of(plugin.ask(message(isLast = false))) match {
        case Some(ReportAnswer(from, closed)) if from == known && closed.nonEmpty =>
          known += closed.size
          closed.foreach(ExecutorCache.closeCatalog)
          true
        case _ => false
      }
    } catch { case NonFatal(_) | _: InterruptedException if isClosed => false }

  /** In local mode the driver reads these additions itself. */
  private def tellOutside(): Unit = if (!AndironConf.isLocal(plugin.conf())) OutsideAdds.message().foreach(plugin.send)

  private def message(isLast: Boolean) = ExecutorReport(plugin.executorID(), CacheStats.snapshot().toSeq, known, isLast).message

  /** Sends the last report and ends the thread. */
  def close(): Unit = {
    isClosed = true
    thread.interrupt()
    if (SparkEnv.get eq env) {
      tellOutside()
      plugin.send(message(isLast = true))
    }
  }
}
