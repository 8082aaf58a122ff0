package andiron

import java.net.URI
import java.nio.file.Files

import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs.FileUtil
import org.apache.spark.SparkConf

import andiron.internal.{Json, LogArchive, MetricsFacts, NativeLibrary, NativeMetrics}

/**
 * The command `andiron` for those who have the jar: `spark-submit --class andiron.Report <jar> report <application id> [--html <file>]`, and
 * `apps`, `diff` and `ship` alike. The same native code answers. `--log-dir` may be a URI of `spark.andiron.log.archive` too, but for `ship`,
 * which has to note in a log what it has shipped; without it the directory is `spark.andiron.log.dir` of spark-submit's settings. Starts no SparkContext. Exit status: 0 done, 1 failed, 2 misused.
 */
object Report {

  /** What the command ends with: its exit status, and what it prints. */
  private[andiron] final case class Done(status: Int, out: String, err: String)

  def main(arguments: Array[String]): Unit = {
    val done = run(arguments.toSeq)
    print(done.out)
    Console.flush()
    System.err.print(done.err)
    if (done.status != 0) sys.exit(done.status)
  }

  private[andiron] def run(arguments: Seq[String]): Done = {
    NativeLibrary.load()
    val (directory, rest) = parse(arguments.toList)
    directory.filter(_.contains("://")) match {
      case Some(archive) if rest.headOption.contains("ship") =>
        Done(2, "", s"andiron: ship cannot note in $archive what it has shipped: `andiron.hive.Ingest --from log` reads an archive, or copy its logs to a local directory\n")
      case Some(archive) =>
        val copy = Files.createTempDirectory("andiron-report")
        try {
          LogArchive.fetch(new URI(archive), folder => rest.headOption.contains("apps") || rest.exists(LogArchive.isOf(_, folder)), copy.toFile, new Configuration)
          andiron(rest, copy.toString)
        } finally FileUtil.fullyDelete(copy.toFile): Unit
      case None => andiron(rest, directory.getOrElse(AndironConf.LogDirectory.in(new SparkConf())))
    }
  }

  /** `ship` has the sinks of spark-submit's settings, and of `--conf` in its own arguments, which hold against those. */
  private def andiron(arguments: Seq[String], directory: String): Done = {
    val submitted = if (arguments.contains("ship")) MetricsFacts.ofSinks(new SparkConf()) else Nil
    val sinks = submitted.flatMap { case (key, value) => Seq("--conf", s"$key=$value") }
    val all = Json.array(sinks ++ arguments ++ Seq("--log-dir", directory))
    val done = Json.parse(NativeMetrics.command(Json.text(all)))
    Done(done.path("status").asInt(1), done.path("out").asText(), done.path("err").asText())
  }

  /** The last `--log-dir`, and everything else as it came. */
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
