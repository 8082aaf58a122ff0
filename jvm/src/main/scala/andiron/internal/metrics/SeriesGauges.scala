package andiron.internal.metrics

import java.util.concurrent.ConcurrentHashMap

import com.codahale.metrics.{Gauge, MetricRegistry}
import org.slf4j.LoggerFactory

import andiron.internal.util.{CallbackGuard, Json}

/**
 * The native series of an application, as gauges in a registry of Spark's metrics system: `andiron.step.in` of the step
 * `history` is `step.history.in`. `refresh` registers new series; any thread.
 *
 * @param read returns the current series, as JSON
 */
private[andiron] final class SeriesGauges(registry: MetricRegistry, read: () => String) {
  private val guard = new CallbackGuard
  private val names = ConcurrentHashMap.newKeySet[String]()
  @volatile private var last = new SeriesGauges.Snapshot(System.nanoTime(), Map.empty)
  @volatile private var hasToldLimit = false

  /** Registers the series that exist by now. */
  def refresh(): Unit = guard("register series as metrics")(look().keys.toSeq.sorted.foreach(register))

  private def register(name: String): Unit =
    if (names.size >= SeriesGauges.Most) {
      if (!hasToldLimit && !names.contains(name)) {
        hasToldLimit = true
        SeriesGauges.log.warn("only the first {} series of this application are in Spark's metrics system", SeriesGauges.Most)
      }
    } else if (names.add(name)) registry.register(name, new Gauge[Double] {
      override def getValue: Double = guard.value("read a series", 0.0)(recent().getOrElse(name, 0.0))
    }): Unit

  private def recent(): Map[String, Double] = if (System.nanoTime() - last.at < SeriesGauges.FreshNanos) last.values else look()

  private def look(): Map[String, Double] = {
    var values = Map.empty[String, Double]
    Json.parse(read()).forEach { series =>
      var tags = Vector.empty[String]
      series.path("tags").forEach(tag => tags :+= tag.path(1).asText())
      val name = SeriesGauges.name(series.path("name").asText(), tags)
      // Series whose names differ only in replaced characters become one gauge, with the first value.
      if (!values.contains(name)) values += name -> series.path("value").asDouble()
    }
    last = new SeriesGauges.Snapshot(System.nanoTime(), values)
    values
  }
}

private[andiron] object SeriesGauges {
  private val log = LoggerFactory.getLogger(classOf[SeriesGauges])

  /** Maximum number of gauges of one application. */
  private val Most = 2000
  private val FreshNanos = 100000000L

  private final class Snapshot(val at: Long, val values: Map[String, Double])

  /** `andiron.step.in` with the tag `a b` is `step.a_b.in`; a dot in a tag would be a separate level in Graphite. */
  def name(series: String, tags: Seq[String]): String = {
    val parts = series.stripPrefix("andiron.").split('.')
    (parts.init.toSeq ++ tags.map(_.replaceAll("[^A-Za-z0-9_-]", "_")) :+ parts.last).mkString(".")
  }
}
