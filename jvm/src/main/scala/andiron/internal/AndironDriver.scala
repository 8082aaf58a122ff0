package andiron.internal

import java.util.Collections

import org.apache.spark.SparkContext
import org.apache.spark.andironshim.{TableFunctions, TableInternals}
import org.apache.spark.api.plugin.{DriverPlugin, PluginContext}
import org.apache.spark.scheduler.{SparkListener, SparkListenerExecutorRemoved}

import andiron.{AndironCatalog, AndironConf}
import andiron.internal.cache.{DriverReports, ExecutorCache, ExecutorReport}
import andiron.internal.metrics.{AllDropped, AtlasPublisher, DriverLink, LogWatch, MetricsApplication, OutsideAdds}
import andiron.internal.python.DriverCatalogs
import andiron.internal.table.LookupRegistry
import andiron.internal.util.{CallbackGuard, UnknownSettings}

/**
 * The driver's part of the plugin. An invalid setting fails the application's start; all other errors stay within
 * Andiron.
 */
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
      UnknownSettings.refuse(conf)
      AndironConf.validate(conf)
      DriverChecks.checkSinks(conf)
      AtlasPublisher.check(conf)
      this.context = context
      DriverChecks.warnIfTooLarge(conf)
      reports = new DriverReports(DriverReports.patienceNanos(AndironConf.ReportInterval.in(conf)))
      DriverReports.latest = Some(reports)
      guard("prepare the metrics")(MetricsApplication.prepare(context))
      guard("add the functions of tables")(TableFunctions.prepare(context, LookupRegistry))
      TableInternals.setIfMissing(context, "spark.sql.catalog.andiron", classOf[AndironCatalog].getName)
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

  /** Called when the application has its id, before any of its events is delivered. */
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

  /**
   * Returns null for messages other than requests, and for an executor's last report: no caller awaits that answer, and
   * Spark would log a warning about it.
   */
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
