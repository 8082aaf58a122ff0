package andiron.internal

import com.codahale.metrics.{Gauge, MetricRegistry}

import org.apache.spark.{SparkEnv, TaskContext, TaskFailedReason}
import org.apache.spark.andironshim.SparkInternals
import org.apache.spark.api.plugin.{ExecutorPlugin, PluginContext}

import andiron.AndironConf
import andiron.internal.cache.{CacheStats, ExecutorCache}
import andiron.internal.metrics.{AtlasPublisher, DriverLink, LogWatch}
import andiron.internal.python.{ExecutorCatalogs, LeaseServer, LiveTasks}
import andiron.internal.util.CallbackGuard

/** The executor's part of the plugin. Every callback except `init` logs its first error and counts the others. */
private[andiron] final class AndironExecutor extends ExecutorPlugin {
  private val guard = new CallbackGuard
  private val task = new ThreadLocal[java.lang.Long]
  private var env: SparkEnv = _
  private var reporter: Reporter = _
  private var lines: Option[LogWatch] = None
  private val live = new LiveTasks
  private var python: Option[LeaseServer] = None
  private var atlas: Option[AtlasPublisher] = None

  override def init(plugin: PluginContext, extra: java.util.Map[String, String]): Unit = {
    val conf = plugin.conf()
    if (AndironConf.Enabled.in(conf)) {
      AndironConf.validate(conf)
      env = SparkEnv.get
      DriverLink.open(plugin)
      guard("load the native library and register metrics")(register(plugin.metricRegistry()))
      reporter = new Reporter(plugin, AndironConf.ReportInterval.in(conf))
      reporter.start()
      if (AndironConf.PythonEnabled.in(conf)) guard("listen for Python workers") {
        python = SparkInternals.roomiestDirectories(env).headOption.map(LeaseServer.start(_, live, new ExecutorCatalogs(plugin)))
      }
      // In local mode the driver publishes for the single process.
      if (!AndironConf.isLocal(conf)) guard("publish figures to Atlas") {
        atlas = AtlasPublisher.start(conf, "executor", plugin.executorID(), None)
      }
      // In local mode the driver watches the log of the single process.
      if (AndironConf.MetricsEnabled.in(conf) && !AndironConf.isLocal(conf))
        guard("watch the log") {
          lines = LogWatch.open(plugin.executorID(), texts => plugin.send(LogWatch.Tag +: texts))
        }
    }
  }

  override def onTaskStart(): Unit = if (reporter != null) guard("note the start of a task") {
    val context = TaskContext.get()
    if (context != null) {
      task.set(context.taskAttemptId())
      if (python.isDefined) live.begin(context)
    }
  }

  override def onTaskSucceeded(): Unit = endTask()

  override def onTaskFailed(reason: TaskFailedReason): Unit = endTask()

  override def shutdown(): Unit = if (reporter != null) {
    DriverLink.close()
    guard("publish the last figures to Atlas")(atlas.foreach(_.close()))
    guard("send the last lines of the log")(lines.foreach(_.close()))
    guard("release leases of Python workers") {
      python.foreach(_.close())
      live.endAll()
    }
    guard("send the last report")(reporter.close())
    guard("end the cache")(ExecutorCache.stop(env))
  }

  private def endTask(): Unit = if (reporter != null) guard("release leases of a task") {
    val id = task.get()
    if (id != null) {
      task.remove()
      live.end(id)
      ExecutorCache.currentIfAny.foreach(_.endTask(id))
    }
  }

  private def register(registry: MetricRegistry): Unit = CacheStats.names.foreach { name =>
    registry.register(MetricRegistry.name("cache", name), new Gauge[Long] {
      override def getValue: Long = guard.value("read a metric", 0L)(CacheStats.recent(name))
    })
  }
}
