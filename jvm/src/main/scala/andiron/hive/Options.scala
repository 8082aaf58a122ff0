package andiron.hive

import scala.util.Try

import org.apache.spark.SparkConf

/** The options of `andiron.hive.Ingest`. */
private[hive] final case class Options(
    from: String = "",
    bootstrapServers: String = "",
    topics: String = "andiron.metrics.v1,andiron.failures.v1",
    kafkaProperties: Option[String] = None,
    checkpoint: String = "",
    logDir: String = "",
    database: String = "andiron",
    follow: Boolean = false,
    trigger: String = "1min",
    maxRecords: Long = 1000000) {

  def triggerMillis: Long = new SparkConf(false).set("trigger", trigger).getTimeAsMs("trigger")
}

private[hive] object Options {
  val Usage: String =
    """spark-submit --class andiron.hive.Ingest <jar> --from kafka --bootstrap-servers HOST:PORT,... --checkpoint URI
      |             [--topics NAME,...] [--kafka-properties FILE] [--max-records N] [--database NAME] [--follow] [--trigger TIME]
      |spark-submit --class andiron.hive.Ingest <jar> --from log --log-dir DIR|URI
      |             [--max-records N] [--database NAME] [--follow] [--trigger TIME]
      |
      |Puts events into the tables of a Hive database (andiron): what there is, or with --follow also what comes, every TIME (1min).
      |FILE has settings of Kafka's consumer, one key=value a line; secrets belong there, and not on the command line.
      |""".stripMargin

  /** The options in the arguments, or the reason why they are invalid. */
  def parse(arguments: Seq[String]): Either[String, Options] = read(arguments.toList, Options()).flatMap(check)

  private def read(arguments: List[String], so: Options): Either[String, Options] = arguments match {
    case Nil                                                             => Right(so)
    case "--follow" :: rest                                              => read(rest, so.copy(follow = true))
    case name :: _ if !name.startsWith("--")                             => Left(s"'$name' is not an option")
    case joined :: rest if joined.contains('=')                          => read(joined.takeWhile(_ != '=') :: joined.dropWhile(_ != '=').drop(1) :: rest, so)
    case name :: value :: rest =>
      val after = name match {
        case "--from"              => Right(so.copy(from = value))
        case "--bootstrap-servers" => Right(so.copy(bootstrapServers = value))
        case "--topics"            => Right(so.copy(topics = value))
        case "--kafka-properties"  => Right(so.copy(kafkaProperties = Some(value)))
        case "--checkpoint"        => Right(so.copy(checkpoint = value))
        case "--log-dir"           => Right(so.copy(logDir = value))
        case "--database"          => Right(so.copy(database = value))
        case "--trigger"           => Right(so.copy(trigger = value))
        case "--max-records"       => Try(value.toLong).toOption.filter(_ > 0).toRight(s"--max-records takes a number greater than 0, not $value")
          .map(most => so.copy(maxRecords = most))
        case _                     => Left(s"no option $name")
      }
      after.flatMap(read(rest, _))
    case name :: Nil => Left(s"$name needs a value, or is no option")
  }

  private def check(so: Options): Either[String, Options] = so.from match {
    case _ if !so.database.matches("[A-Za-z0-9_]{1,128}")              => Left("--database takes letters, digits and _")
    case _ if !Try(so.triggerMillis).toOption.exists(_ > 0)            => Left(s"--trigger takes a time such as 30s or 5min, not ${so.trigger}")
    case "kafka" if so.bootstrapServers.isEmpty                        => Left("--from kafka needs --bootstrap-servers")
    case "kafka" if so.checkpoint.isEmpty                              => Left("--from kafka needs --checkpoint, a directory that stores the progress")
    case "log" if so.logDir.isEmpty                                    => Left("--from log needs --log-dir")
    case "kafka" | "log"                                               => Right(so)
    case ""                                                            => Left("--from kafka, or --from log?")
    case other                                                         => Left(s"--from takes kafka or log, not $other")
  }
}
