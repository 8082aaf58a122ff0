package andiron.internal.metrics

import org.apache.spark.SparkConf
import org.slf4j.LoggerFactory

import andiron.{AndironConf, SettingException}
import andiron.internal.boundary.{NativeLibrary, NativeMetrics}

/** The publisher of this process's figures to Atlas: a native thread, identified by its number. */
private[andiron] final class AtlasPublisher private (number: Long) {

  /** Publishes once more and stops; waits at most one second. Idempotent. */
  def close(): Unit = if (!NativeMetrics.atlasStop(number, AtlasPublisher.StopMillis))
    AtlasPublisher.log.warn("Atlas has not answered within {} ms: it may lack the last figures of this process", AtlasPublisher.StopMillis)

  /** The delivery figures of the points, as JSON. */
  def figures: String = NativeMetrics.atlasFigures(number)
}

private[andiron] object AtlasPublisher {
  private val log = LoggerFactory.getLogger(classOf[AtlasPublisher])
  private val StopMillis = 1000L
  @volatile private var latest: Option[AtlasPublisher] = None

  /** The publisher that was started last in this process. */
  def running: Option[AtlasPublisher] = latest

  /** The publisher's settings for the native library; None if no Atlas is configured. */
  private def settings(conf: SparkConf, role: String, executor: String): Option[String] = {
    if (AndironConf.AtlasUri.in(conf).isEmpty && AndironConf.AtlasSpectatord.in(conf).isEmpty) None
    else {
      val tags = Seq("job" -> conf.get("spark.app.name", "spark"), "role" -> role, "executor" -> executor)
      // A line break would begin another setting.
      val lines = tags.map { case (key, value) => s"$key=${value.replaceAll("\\s+", " ")}" }
      Some((AndironConf.nativeLines(conf, "atlas") +: lines).mkString("\n"))
    }
  }

  /**
   * Throws a SettingException for settings that the native library rejects. Without the library, nothing is published
   * and no setting is rejected.
   */
  def check(conf: SparkConf): Unit = settings(conf, "driver", "driver").foreach { text =>
    try {
      NativeLibrary.load()
      NativeMetrics.atlasCheck(text)
    } catch {
      case e: SettingException => throw e
      case t: Throwable        => log.warn("figures are not published to Atlas", t)
    }
  }

  /**
   * Starts the publisher if an Atlas is configured. `metrics`: the handle of the application's metrics, on the driver.
   */
  def start(conf: SparkConf, role: String, executor: String, metrics: Option[Long]): Option[AtlasPublisher] =
    settings(conf, role, executor).map { text =>
      NativeLibrary.load()
      val publisher = new AtlasPublisher(NativeMetrics.atlasStart(text, conf.get("spark.app.id", ""), metrics.getOrElse(0L)))
      latest = Some(publisher)
      publisher
    }
}
