package andiron.internal

import java.lang.ref.WeakReference

import org.apache.spark.{SparkConf, SparkEnv}
import org.slf4j.LoggerFactory

import andiron.{AndironConf, AndironException, AndironPlugin, SettingException}
import andiron.internal.boundary.{NativeLibrary, NativeMetrics}
import andiron.internal.metrics.MetricsFacts

/** Checks of combined settings on the driver, at the start of the application. */
private[andiron] object DriverChecks {
  private val log = LoggerFactory.getLogger(classOf[AndironPlugin])
  private var warned = new WeakReference[SparkEnv](null)

  /**
   * The warning for a budget larger than an executor container's memory outside the heap; None if it fits or there is
   * no container.
   */
  def tooLarge(conf: SparkConf): Option[String] = {
    val budget = AndironConf.BudgetBytes.in(conf)
    val room = math.max(AndironConf.BudgetDefault.offHeap(conf), AndironConf.BudgetDefault.overhead(conf))
    if (AndironConf.isLocal(conf) || budget <= room) None
    else
      Some(s"${AndironConf.BudgetBytes.key} is $budget bytes, but an executor has only $room outside its heap: " +
        "raise spark.memory.offHeap.size (with spark.memory.offHeap.enabled) or spark.executor.memoryOverhead, or lower the budget")
  }

  /**
   * Throws a SettingException for sink settings that the native library rejects; other errors do not stop the
   * application.
   */
  def checkSinks(conf: SparkConf): Unit = if (AndironConf.MetricsEnabled.in(conf) && MetricsFacts.ofSinks(conf).nonEmpty) {
    // Without the library there are no sinks; the start of the metrics reports that.
    val isLoaded = try { NativeLibrary.load(); true } catch { case _: AndironException => false }
    if (isLoaded)
      try NativeMetrics.checkSinks(MetricsFacts.sinks(conf))
      catch {
        case e: SettingException => throw e
        case t: Throwable        => log.warn("the settings of sinks could not be checked", t)
      }
  }

  /** Logs the warning of `tooLarge`, once for the application that runs in this process. */
  def warnIfTooLarge(conf: SparkConf): Unit = synchronized {
    if (warned.get() ne SparkEnv.get) {
      warned = new WeakReference(SparkEnv.get)
      tooLarge(conf).foreach(text => log.warn(text))
    }
  }
}
