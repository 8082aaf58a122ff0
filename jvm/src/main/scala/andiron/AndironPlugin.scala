package andiron

import java.lang.ref.WeakReference
import java.util.Collections

import com.codahale.metrics.{Gauge, MetricRegistry}

import org.apache.spark.{SparkConf, SparkContext, SparkEnv, TaskContext, TaskFailedReason}
import org.apache.spark.andironshim.SparkInternals
import org.apache.spark.api.plugin.{DriverPlugin, ExecutorPlugin, PluginContext, SparkPlugin}
import org.apache.spark.scheduler.{SparkListener, SparkListenerExecutorRemoved}
import org.slf4j.LoggerFactory

import andiron.internal._
import andiron.python.{DriverCatalogs, ExecutorCatalogs, LeaseServer, LiveTasks}

/**
 * `spark.plugins=andiron.AndironPlugin`: checks settings and library when the application starts, shows the cache's figures in Spark's
 * metrics system, releases what a task's own listener has missed, and carries figures and closed catalogs between executors and driver.
 */
final class AndironPlugin extends SparkPlugin {
  override def driverPlugin(): DriverPlugin = new AndironDriver
  override def executorPlugin(): ExecutorPlugin = new AndironExecutor
}

/** A setting that is wrong stops the application here; nothing else that goes wrong reaches Spark. */
private[andiron] final class AndironDriver extends DriverPlugin {
  private val guard = new CallbackGuard
  @volatile private var reports: DriverReports = _
  private var context: SparkContext = _
  private var atlas: Option[AtlasPublisher] = None

  override def init(context: SparkContext, plugin: PluginContext): java.util.Map[String, String] = {
    val conf = plugin.conf()
    DriverReports.latest = None
    DriverCatalogs.clear()
    MetricsApplication.leave()
    if (AndironConf.Enabled.in(conf)) {
      NativeLibrary.requireJava(System.getProperty("java.specification.version"), System.getProperty("java.home"))
      AndironConf.validate(conf)
      AndironPlugin.checkSinks(conf)
      AtlasPublisher.check(conf)
      this.context = context
      AndironPlugin.warnIfTooLarge(conf)
      reports = new DriverReports(DriverReports.patienceNanos(AndironConf.ReportInterval.in(conf)))
      DriverReports.latest = Some(reports)
      guard("prepare the metrics")(MetricsApplication.prepare(context))
      guard("watch the application") {
        ExecutorCache.stopWith(context)
        context.addSparkListener(new SparkListener {
          override def onExecutorRemoved(event: SparkListenerExecutorRemoved): Unit =
            guard("note the end of an executor")(reports.end(event.executorId))
        })
      }
    }
    Collections.emptyMap()
  }

  /** The application has its id, and no event of it has been delivered yet. */
  override def registerMetrics(application: String, plugin: PluginContext): Unit =
    if (context != null) {
      guard("start the metrics")(MetricsApplication.start(context))
      val metrics = MetricsApplication.of(context)
      guard("show the metrics in Spark's")(metrics.foreach(_.show(plugin.metricRegistry())))
      guard("publish figures to Atlas") {
        atlas = AtlasPublisher.start(context.getConf, "driver", "driver", metrics.map(_.handle))
      }
    }

  override def shutdown(): Unit = guard("publish the last figures to Atlas")(atlas.foreach(_.close()))

  /** null for anything that is not an executor's report, and for its last one: nobody waits for that answer, and Spark would warn of it. */
  override def receive(message: Any): AnyRef = message match {
    case Array(LogWatch.Tag, lines @ _*) =>
      MetricsApplication.running.foreach(metrics => lines.foreach(line => metrics.logLine(line.toString)))
      null
    case _ if OutsideAdds.of(message).isDefined =>
      for (metrics <- MetricsApplication.running; (step, n) <- OutsideAdds.of(message).get) guard("note additions outside of steps")(metrics.outside(step, n))
      null
    case _ if DriverLink.cells(message).isDefined =>
      guard.value[AnyRef]("take cells of a step", "an error") {
        MetricsApplication.running match {
          case Some(metrics) =>
            val taken = DriverLink.cells(message).get.map(metrics.receive).forall(identity)
            if (metrics.gates.isEmpty) DriverLink.TakenWithoutGates else if (taken) DriverLink.Taken else "a cell cannot be read"
          case None => DriverLink.TakenWithoutGates
        }
      }
    case _ if DriverLink.emptied(message).isDefined =>
      guard.value[AnyRef]("answer a task that has dropped all of its rows", AllDropped.GoOn) {
        MetricsApplication.running.fold(AllDropped.GoOn)(DriverLink.emptied(message).get.answer)
      }
    case _ if DriverCatalogs.asked(message).isDefined =>
      guard.value[AnyRef]("hand out a catalog", Array.emptyByteArray)(DriverCatalogs.answer(DriverCatalogs.asked(message).get))
    case _ =>
      ExecutorReport.of(message) match {
        case Some(report) if reports != null =>
          val answer = guard.value[AnyRef]("receive a report", null)(reports.receive(report).message)
          if (report.isLast) null else answer
        case _                               => null
      }
  }
}

/** Every callback but `init` logs its first error and counts the others. */
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
      NativeLibrary.requireJava(System.getProperty("java.specification.version"), System.getProperty("java.home"))
      AndironConf.validate(conf)
      env = SparkEnv.get
      DriverLink.open(plugin)
      guard("load the native library and register metrics")(register(plugin.metricRegistry()))
      reporter = new Reporter(plugin, AndironConf.ReportInterval.in(conf))
      reporter.start()
      if (AndironConf.PythonEnabled.in(conf)) guard("listen for Python workers") {
        python = SparkInternals.localDirectories(env).headOption.map(LeaseServer.start(_, live, new ExecutorCatalogs(plugin)))
      }
      // In local mode the driver publishes for the one process.
      if (!AndironConf.isLocal(conf)) guard("publish figures to Atlas") {
        atlas = AtlasPublisher.start(conf, "executor", plugin.executorID(), None)
      }
      // In local mode the driver watches the log of the one process.
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
    guard("end what Python workers hold") {
      python.foreach(_.close())
      live.endAll()
    }
    guard("send the last report")(reporter.close())
    guard("end the cache")(ExecutorCache.stop(env))
  }

  private def endTask(): Unit = if (reporter != null) guard("release what a task holds") {
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

private[andiron] object AndironPlugin {
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
    val isLoaded = try { NativeLibrary.load(); true } catch { case _: NativeLibraryException => false }
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
