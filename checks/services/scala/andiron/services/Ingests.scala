package andiron.services

import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.{Files, Path, Paths}

/** Runs of `andiron.hive.Ingest` by spark-submit, in separate processes, and topics as their input. */
final class Ingests(folder: Path, option: Map[String, String]) {
  private var runs = 0

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
    new Started(command, here.resolve("out"))
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
    KafkaTool.send(option("kafka"), topic, messages.map(_._1).toArray, messages.map(_._2).toArray)
}
