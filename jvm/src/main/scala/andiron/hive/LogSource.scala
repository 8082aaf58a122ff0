package andiron.hive

import java.io.File
import java.net.URI
import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.Files

import scala.collection.mutable.ArrayBuffer

import org.apache.hadoop.fs.FileUtil
import org.apache.spark.rdd.RDD
import org.apache.spark.sql.SparkSession

import andiron.{AndironException, ErrorCode}
import andiron.internal.metrics.{LogArchive, ReportCommand, Terminal}
import andiron.internal.util.Json

/**
 * Reads the ship logs in a local directory or an archive, for use without Kafka. The table `log_places` contains the
 * position up to which each log was read, so no checkpoint is needed.
 */
private[hive] object LogSource {

  /** Size limit of a batch in bytes of JSON; its last event may exceed it. */
  private val BatchBytes = 64L << 20
  private val SliceBytes = 1L << 20

  def run(spark: SparkSession, store: Store, options: Options)(batch: (Long, RDD[Record]) => Unit): Unit = {
    var number = 0L
    def once(): Unit = within(options.logDir) { directory =>
      val gathered = new ArrayBuffer[Record]
      var bytes = 0L
      var places = Map.empty[(String, String), Long]
      def flush(): Unit = if (gathered.nonEmpty) {
        batch(number, spark.sparkContext.parallelize(gathered.toVector, 1 + (bytes / SliceBytes).toInt))
        store.reach(places)
        number += 1
        places = Map.empty
        gathered.clear()
        bytes = 0
      }
      val reached = store.reached()
      logs(directory).foreach { case log @ (application, attempt) =>
        events(directory, application, attempt, reached.getOrElse(log, 0L)) { record =>
          gathered += record
          places += log -> record.position
          bytes += record.value.length
          if (bytes >= BatchBytes || gathered.size >= options.maxRecords) flush()
        }
      }
      flush()
    }
    once()
    while (options.follow) {
      Thread.sleep(options.triggerMillis)
      once()
    }
  }

  /** Runs `body` on the directory, or on a local copy of the logs in an archive. */
  private def within(directory: String)(body: String => Unit): Unit =
    if (!directory.contains("://")) body(directory)
    else {
      val copy = Files.createTempDirectory("andiron-ingest")
      try {
        LogArchive.fetch(new URI(directory), _ => true, copy.toFile, SparkSession.active.sparkContext.hadoopConfiguration)
        body(copy.toString)
      } finally FileUtil.fullyDelete(copy.toFile): Unit
    }

  private def logs(directory: String): Seq[(String, String)] =
    andiron(directory, "apps", "--json").split('\n').toSeq.filter(_.nonEmpty).map(Json.parse)
      .map(log => (log.path("application").asText(), log.path("attempt").asText()))

  private def events(directory: String, application: String, attempt: String, since: Long)(each: Record => Unit): Unit = {
    val file = File.createTempFile("andiron-events", ".json")
    try {
      // A running application that writes to this directory removes old logs.
      try andiron(directory, "events", application, "--attempt", attempt, "--since", since.toString, "--numbered", "--out", file.getPath): Unit
      catch { case e: AndironException => if (logs(directory).contains((application, attempt))) throw e }
      val lines = Files.newBufferedReader(file.toPath, UTF_8)
      try Iterator.continually(lines.readLine()).takeWhile(_ != null).foreach { line =>
        val tab = line.indexOf('\t')
        each(Record(null, 0, line.take(tab).toLong, -1, null, line.drop(tab + 1).getBytes(UTF_8)))
      }
      finally lines.close()
    } finally file.delete(): Unit
  }

  private def andiron(directory: String, arguments: String*): String = {
    val done = ReportCommand.run(arguments ++ Seq("--log-dir", directory))
    if (done.err.nonEmpty) Terminal.err.print(done.err)
    if (done.status != 0) throw AndironException.of(ErrorCode.BadArgument, done.err.trim, null)
    done.out
  }
}
