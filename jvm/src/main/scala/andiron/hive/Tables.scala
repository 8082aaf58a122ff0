package andiron.hive

import org.apache.spark.sql.types._

/** A table for events: its columns, with the partition `dt` last. */
private[hive] final case class Table(name: String, about: String, schema: StructType) {

  def create(database: String): String = {
    val columns = schema.fields.dropRight(1).map(field => s"  `${field.name}` ${field.dataType.sql}").mkString(",\n")
    s"CREATE TABLE IF NOT EXISTS $database.$name (\n$columns)\nCOMMENT '$about'\nPARTITIONED BY (`dt` STRING)\nSTORED AS PARQUET"
  }
}

/** A view with its defining statement. */
private[hive] final case class View(name: String, select: String => String) {
  def create(database: String): String =
    s"CREATE OR REPLACE VIEW $database.$name TBLPROPERTIES ('${Tables.Property}' = '${Tables.Version}') AS\n${select(database)}"
}

/** The tables and views of Andiron's Hive database; docs/operations/hive.sql contains their statements. */
private[hive] object Tables {

  /** Increased when a view changes: an older Andiron does not replace the views of a newer one. */
  val Version = 1
  val Property = "andiron.tables"

  private def fields(columns: Seq[Column]): Seq[StructField] = columns.map(column => StructField(column.name, column.value.sql))

  /** The origin of a row: `kafka:<topic>/<partition>` and the offset, or `log` and the position in the log. */
  private val whence = Seq(StructField("origin", StringType), StructField("position", LongType))
  private val partition = StructField("dt", StringType)

  private def of(kinds: Seq[String], more: Seq[Column]): StructType =
    StructType(fields(Columns.common) ++ whence ++ fields((kinds.flatMap(Columns.byKind) ++ more).distinct.groupBy(_.name).values.map(_.head).toSeq.sortBy(_.name)) ++
      Seq(StructField("body", StringType), partition))

  val metrics: Table = Table("metrics_raw", "Revisions of all events but failures, as often as they came", of(Columns.ofMetrics, Columns.amounts))
  val failures: Table = Table("failures_raw", "Revisions of failed rows and log lines, as often as they came", of(Columns.ofFailures, Nil))
  val quarantine: Table = Table("quarantine_raw", "Records that are no events, and why", StructType(whence ++ Seq(
    StructField("topic", StringType), StructField("kafka_partition", LongType), StructField("record_ms", LongType), StructField("cause", StringType),
    StructField("detail", StringType), StructField("record_key", BinaryType), StructField("record_value", BinaryType), StructField("seen_ms", LongType), partition)))

  val places: Table = Table("log_places", "Up to which place the tables have all of a log", StructType(Seq(
    StructField("app_id", StringType), StructField("app_attempt", StringType), StructField("position", LongType), StructField("seen_ms", LongType), partition)))

  /** The tables that records are written to. */
  val ofRecords: Seq[Table] = Seq(metrics, failures, quarantine)
  val all: Seq[Table] = ofRecords :+ places

  /** The latest revision of each event; of equal revisions the later record. */
  private def last(database: String, table: Table, columns: Seq[String], kind: Option[String]): String = {
    val where = kind.fold("")(name => s"\n  WHERE kind = '$name'")
    s"""SELECT ${columns.map(name => s"`$name`").mkString(", ")}
       |FROM (
       |  SELECT *, row_number() OVER (PARTITION BY app_id, app_attempt, event_id ORDER BY revision DESC, ts_ms DESC, position DESC) AS place
       |  FROM $database.${table.name}$where) AS revisions
       |WHERE place = 1""".stripMargin
  }

  private def ofKind(view: String, kind: String): View = {
    val table = if (Columns.ofFailures.contains(kind)) failures else metrics
    val own = Columns.byKind(kind).map(_.name) ++ (if (kind == "Metric") Columns.amounts.map(_.name) else Nil)
    View(view, last(_, table, Columns.common.map(_.name).filterNot(_ == "kind") ++ own ++ Seq("body", "dt"), Some(kind)))
  }

  private val events = View("events", { database =>
    val columns = Columns.common.map(_.name) ++ Seq("origin", "position", "body", "dt")
    s"${last(database, metrics, columns, None)}\nUNION ALL\n${last(database, failures, columns, None)}"
  })

  private val refused = View("quarantine", { database =>
    val columns = quarantine.schema.fieldNames.map(name => s"`$name`").mkString(", ")
    s"""SELECT $columns
       |FROM (
       |  SELECT *, row_number() OVER (PARTITION BY origin, position, record_ms, cause ORDER BY seen_ms) AS place
       |  FROM $database.${quarantine.name}) AS records
       |WHERE place = 1""".stripMargin
  })

  val views: Seq[View] = Seq(events, refused) ++ Seq(
    "applications" -> "Application", "metrics" -> "Metric", "stages" -> "Stage", "jobs" -> "Job", "executions" -> "Execution", "verdicts" -> "Verdict",
    "gates" -> "Gate", "health" -> "Health", "failures" -> "Failure", "log_lines" -> "LogLine").map { case (view, kind) => ofKind(view, kind) }

  /** All statements, as in docs/operations/hive.sql. */
  def document(database: String): String =
    "-- The tables and views of andiron.hive.Ingest, which makes the missing ones. Generated; a suite holds this file to the code.\n\n" +
      s"CREATE DATABASE IF NOT EXISTS $database;\n\n" + (all.map(_.create(database)) ++ views.map(_.create(database))).map(_ + ";\n").mkString("\n")
}
