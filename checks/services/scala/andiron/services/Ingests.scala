package andiron.services

import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.{Files, Path, Paths}
import java.util.concurrent.TimeUnit

import andiron.harness.Waiting

/** Runs of `andiron.hive.Ingest` by spark-submit, in separate processes, and topics as their input. */
final class Ingests(folder: Path, option: Map[String, String]) {
  private var runs = 0

  /** A started process whose output goes to a file. */
  final class Started(process: Process, out: Path) {
    def text: String = new String(Files.readAllBytes(out), UTF_8)

    /** Waits until the process has printed `what`; fails if it ends before. */
    def await(what: String): Unit = {
      Waiting.holds(300)(text.contains(what) || !process.isAlive): Unit
      Check.require(text.contains(what), s"'$what' is not in the output:\n${text.takeRight(4000)}")
    }

    def kill(): Unit = {
      process.destroyForcibly()
      Check.require(process.waitFor(60, TimeUnit.SECONDS), s"process ${process.pid} does not end")
    }

    def ended(): (Int, String) = {
      if (!process.waitFor(400, TimeUnit.SECONDS)) {
        kill()
        throw new IllegalStateException(s"it did not end:\n${text.takeRight(4000)}")
      }
      (process.exitValue, text)
    }
  }

  def start(arguments: String*): Started =
    submit("andiron.hive.Ingest", Seq("spark.hadoop.hive.metastore.uris" -> option("metastore"), "spark.sql.warehouse.dir" -> option("warehouse")), option("jar") +: arguments)

  /** Runs [[Nightly]] with its log in the common directory; returns the application id. */
  def nightly(every: Long): String = {
    val started = submit("andiron.services.Nightly", Seq("spark.plugins" -> "andiron.AndironPlugin", "spark.andiron.log.dir" -> nightlyLog,
      "spark.jars" -> option("jar")), Seq(option("programs"), every.toString, folder.resolve(s"nightly-$every").toString))
    val (status, text) = started.ended()
    Check.require(status == 0, s"exit status $status:\n${text.takeRight(4000)}")
    "(?m)^application: (.*)$".r.findFirstMatchIn(text).getOrElse(throw new IllegalStateException("no application id")).group(1)
  }

  def nightlyLog: String = folder.resolve("nightly-log").toString

  private def submit(main: String, more: Seq[(String, String)], arguments: Seq[String]): Started = {
    runs += 1
    val here = Files.createDirectories(folder.resolve(s"submitted-$runs"))
    val settings = more ++ Seq("spark.ui.enabled" -> "false", "spark.driver.host" -> "127.0.0.1", "spark.driver.bindAddress" -> "127.0.0.1",
      "spark.sql.shuffle.partitions" -> "2", "spark.local.dir" -> here.resolve("local").toString,
      "spark.driver.extraJavaOptions" -> s"-XX:TieredStopAtLevel=1 -Djava.io.tmpdir=$here")
    val classpath = new String(Files.readAllBytes(Paths.get(option("classpath"))), UTF_8).split('\n').filter(_.nonEmpty).mkString(":")
    val command = Seq(s"${sys.env("SPARK_HOME")}/bin/spark-submit", "--master", "local[2]", "--driver-memory", "1g", "--class", main,
      "--driver-class-path", classpath) ++ settings.flatMap { case (key, value) => Seq("--conf", s"$key=$value") } ++ arguments
    val out = here.resolve("out")
    new Started(new ProcessBuilder(command: _*).directory(here.toFile).redirectErrorStream(true).redirectOutput(out.toFile).start(), out)
  }

  /** Runs an ingest to its end; returns its output, and fails if the exit status is not 0. */
  def run(arguments: String*): String = {
    val (status, text) = start(arguments: _*).ended()
    Check.require(status == 0, s"exit status $status:\n${text.takeRight(4000)}")
    text
  }

  def fromKafka(database: String, topic: String, checkpoint: String, more: String*): Seq[String] =
    Seq("--from", "kafka", "--bootstrap-servers", option("kafka"), "--topics", topic, "--database", database,
      "--checkpoint", folder.resolve(s"checkpoints/$checkpoint").toString) ++ more

  /** Sends messages of key and value, and waits until the broker has acknowledged them. */
  def send(topic: String, messages: Seq[(Array[Byte], Array[Byte])]): Unit =
    Topics.send(option("kafka"), topic, messages.map(_._1).toArray, messages.map(_._2).toArray)
}
