package andiron.internal

import java.lang.ref.WeakReference

import org.apache.spark.{SparkConf, SparkEnv}
import org.slf4j.LoggerFactory

import andiron.{AndironConf, AndironException, AndironPlugin, SettingException}
import andiron.internal.boundary.{NativeLibrary, NativeMetrics}
import andiron.internal.metrics.MetricsFacts

/** What the driver looks at in the settings when the application starts, beside each of them. */
private[andiron] object DriverChecks {
  private val log = LoggerFactory.getLogger(classOf[AndironPlugin])
  private var warned = new WeakReference[SparkEnv](null)

  /** Why the budget does not fit what an executor's container has beside its heap; None if it does, or there is no container. */
  def tooLarge(conf: SparkConf): Option[String] = {
    val budget = AndironConf.BudgetBytes.in(conf)
    val room = math.max(AndironConf.BudgetDefault.offHeap(conf), AndironConf.BudgetDefault.overhead(conf))
    if (AndironConf.isLocal(conf) || budget <= room) None
    else
      Some(s"${AndironConf.BudgetBytes.key} is $budget bytes, but an executor has only $room beside its heap: " +
        "raise spark.memory.offHeap.size (with spark.memory.offHeap.enabled) or spark.executor.memoryOverhead, or lower the budget")
  }

  /** Throws a SettingException for what Rust says against the settings of sinks; whatever else fails stops no application. */
  def checkSinks(conf: SparkConf): Unit = if (AndironConf.MetricsEnabled.in(conf) && MetricsFacts.ofSinks(conf).nonEmpty) {
    // Without the library there are no sinks, as the start of the metrics tells.
    val isLoaded = try { NativeLibrary.load(); true } catch { case _: AndironException => false }
    if (isLoaded)
      try NativeMetrics.checkSinks(MetricsFacts.sinks(conf))
      catch {
        case e: SettingException => throw e
        case t: Throwable        => log.warn("the settings of sinks could not be checked", t)
      }
  }

  /** Logs what `tooLarge` says, once for the application that runs in this process. */
  def warnIfTooLarge(conf: SparkConf): Unit = synchronized {
    if (warned.get() ne SparkEnv.get) {
      warned = new WeakReference(SparkEnv.get)
      tooLarge(conf).foreach(text => log.warn(text))
    }
  }
}
