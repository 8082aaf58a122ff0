package andiron.internal.metrics

import java.net.URI
import java.nio.file.Files

import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs.FileUtil
import org.apache.spark.SparkConf

import andiron.AndironConf
import andiron.internal.boundary.{NativeLibrary, NativeMetrics}
import andiron.internal.util.Json

/** The implementation of [[andiron.Report]]. */
private[andiron] object ReportCommand {

  /** The result of the command: exit status and output. */
  final case class Done(status: Int, out: String, err: String)

  def main(arguments: Array[String]): Unit = {
    val done = run(arguments.toSeq)
    Terminal.out.print(done.out)
    Terminal.err.print(done.err)
    if (done.status != 0) sys.exit(done.status)
  }

  def run(arguments: Seq[String]): Done = run(arguments, new Configuration)

  def run(arguments: Seq[String], hadoop: Configuration): Done = {
    NativeLibrary.load()
    val (directory, rest) = parse(arguments.toList)
    directory.filter(_.contains("://")) match {
      case Some(archive) if rest.headOption.contains("ship") =>
        Done(2, "", s"andiron: ship cannot record its progress in $archive: `andiron.hive.Ingest --from log` reads an archive, or copy its logs to a local directory\n")
      case Some(archive) =>
        val copy = Files.createTempDirectory("andiron-report")
        try {
          LogArchive.fetch(new URI(archive), folder => isOfAll(rest) || rest.exists(LogArchive.isOf(_, folder)), copy.toFile, hadoop)
          andiron(rest, copy.toString)
        } finally FileUtil.fullyDelete(copy.toFile): Unit
      case None => andiron(rest, directory.getOrElse(AndironConf.LogDirectory.in(new SparkConf())))
    }
  }

  /** Whether a command reads all logs. */
  private def isOfAll(arguments: Seq[String]): Boolean = arguments.headOption match {
    case Some("apps")     => true
    case Some("failures") => arguments.lift(1).forall(_.startsWith("-"))
    case _                => false
  }

  /** For `ship`, adds the sink settings from spark-submit; `--conf` among the command's arguments overrides them. */
  private def andiron(arguments: Seq[String], directory: String): Done = {
    val submitted = if (arguments.contains("ship")) MetricsFacts.ofSinks(new SparkConf()) else Nil
    val sinks = submitted.flatMap { case (key, value) => Seq("--conf", s"$key=$value") }
    val all = Json.array(sinks ++ arguments ++ Seq("--log-dir", directory))
    val done = Json.parse(NativeMetrics.command(Json.text(all)))
    Done(done.path("status").asInt(1), done.path("out").asText(), done.path("err").asText())
  }

  /** The last `--log-dir`, and all other arguments unchanged. */
  private def parse(arguments: List[String]): (Option[String], List[String]) = arguments match {
    case "--log-dir" :: value :: left =>
      val (later, rest) = parse(left)
      (later.orElse(Some(value)), rest)
    case one :: left if one.startsWith("--log-dir=") => parse("--log-dir" :: one.stripPrefix("--log-dir=") :: left)
    case one :: left =>
      val (later, rest) = parse(left)
      (later, one :: rest)
    case Nil => (None, Nil)
  }
}
