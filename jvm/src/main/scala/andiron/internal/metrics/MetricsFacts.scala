package andiron.internal.metrics

import java.io.File
import java.net.URI
import java.nio.file.Paths

import com.fasterxml.jackson.databind.node.ObjectNode
import org.apache.spark.{SparkConf, SparkContext}

import andiron.AndironConf
import andiron.internal.util.Json

/** The facts and settings for the native library when an application's metrics are opened. */
private[andiron] object MetricsFacts {

  /** Settings as `key=value` lines. */
  def settings(context: SparkContext): String = {
    val conf = context.getConf
    s"application=${context.applicationId}\nattempt=${context.applicationAttemptId.getOrElse("")}\n" +
      s"${AndironConf.nativeLines(conf, "log", "run", "metrics")}\n${sinks(conf)}"
  }

  /**
   * Sink settings as `key=value` lines, with `\\` for a backslash and `\n` for a line break in values. The native
   * library parses and checks them.
   */
  def sinks(conf: SparkConf): String = ofSinks(conf).map { case (key, value) =>
    s"$key=${value.replace("\\", "\\\\").replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\\n")}"
  }.mkString("\n")

  /** Sink settings, sorted by key. */
  def ofSinks(conf: SparkConf): Seq[(String, String)] =
    conf.getAll.filter { case (key, _) => AndironConf.sinkPrefixes.exists(key.startsWith) }.sortBy(_._1).toSeq

  /** The body of the Application event. */
  def facts(context: SparkContext): ObjectNode = {
    val conf = context.getConf
    val node = Json.node().put("app_id", context.applicationId).put("app_attempt", context.applicationAttemptId.getOrElse(""))
    node.put("app_name", context.appName).put("run_id", AndironConf.RunId.in(conf).getOrElse(""))
    node.put("user", context.sparkUser).put("spark", context.version).put("scala", scala.util.Properties.versionNumberString)
    node.put("master", context.master).put("started_ms", context.startTime)
    val settings = Json.node()
    conf.getAll.filter(_._1.startsWith("spark.andiron.")).sortBy(_._1).foreach { case (key, value) => settings.put(key, value) }
    node.set[ObjectNode]("settings", settings)
    node
  }

  /** The folder of this application's log. */
  def logFolder(context: SparkContext): File =
    new File(AndironConf.LogDirectory.in(context.getConf), context.applicationId + context.applicationAttemptId.fold("")("." + _))

  /**
   * The local directory for a path or a URI with the scheme `file`, by the same rules as the native library's
   * `--log-dir`. Other URIs give an IllegalArgumentException with advice.
   */
  def localDirectory(named: String): String = {
    def no(why: String): Nothing = throw new IllegalArgumentException(why)
    named match {
      case LocalUri(_) =>
        val uri = new URI(named)
        if (uri.isOpaque || Option(uri.getAuthority).exists(_ != "localhost") || uri.getQuery != null || uri.getFragment != null)
          no("a file: URI reads file:///directory, with no host, and '?', '#' and '%' as %3F, %23 and %25")
        uri.getPath
      case OtherUri(scheme) =>
        no(s"the log is written to a local disk of the driver, and not to $scheme: name a local directory, and set spark.andiron.log.archive to the URI for copies")
      case path => path
    }
  }

  private val LocalUri = "(?i)(file):.*".r
  private val OtherUri = "([A-Za-z][A-Za-z0-9+.-]*):/.*".r

  /** The default of `spark.andiron.log.dir`. */
  def defaultLogDirectory: String = Paths.get(System.getProperty("java.io.tmpdir"), s"andiron-log-${System.getProperty("user.name")}").toString
}
