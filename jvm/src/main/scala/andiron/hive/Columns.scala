package andiron.hive

import org.apache.spark.sql.types._

/** One column of a table: its Hive type, and the JSON field that it is read from. */
private[hive] final case class Column(name: String, value: Value, field: String)

/** The expected JSON type of a column's field. */
private[hive] sealed abstract class Value(val sql: DataType, val called: String)

private[hive] object Value {
  case object Text extends Value(StringType, "a text")
  case object Whole extends Value(LongType, "a whole number of 64 bits")
  case object Number extends Value(DoubleType, "a number")
  case object Flag extends Value(BooleanType, "true or false")
  case object Texts extends Value(ArrayType(StringType), "a list of texts")
  case object Wholes extends Value(ArrayType(LongType), "a list of whole numbers")

  /** The whole numbers `stage` in a list of objects, or the whole numbers in the list itself. */
  case object Stages extends Value(ArrayType(LongType), "a list of stages")
}

/**
 * The fields of events with their own columns, chosen for queries. All other fields, including those of later releases,
 * are in the column `body`, the unchanged JSON of the event.
 */
private[hive] object Columns {
  import Value._

  /** The leading columns of both tables, common to all events. */
  val common: Seq[Column] = Seq(
    Column("event_id", Text, "event_id"), Column("kind", Text, "kind"), Column("revision", Whole, "revision"), Column("v", Whole, "v"),
    Column("app_id", Text, "app_id"), Column("app_attempt", Text, "app_attempt"), Column("ts_ms", Whole, "ts_ms"))

  private def of(value: Value, names: String*): Seq[Column] = names.map { name =>
    name.split(" as ") match {
      case Array(field, column) => Column(column, value, field)
      case _                    => Column(name, value, name)
    }
  }

  /** The columns of each kind of event, in addition to the common ones. A name has one type within a table. */
  val byKind: Map[String, Seq[Column]] = Map(
    "Application" -> (of(Text, "app_name", "run_id", "user as app_user", "spark", "scala", "master", "predecessor") ++
      of(Whole, "started_ms", "ended_ms", "exit_code")),
    // `committed` and `attempted` have the counter's type: EventReader writes doubles to separate columns.
    "Metric" -> (of(Text, "source", "acc", "type", "scope", "step", "site", "reason") ++ of(Flag, "exact", "final as is_final") ++
      of(Whole, "instance", "execution_id", "job_id", "partitions_reported", "partitions_total", "events_dropped") ++
      of(Stages, "stages as stage_ids") ++ of(Wholes, "plan_nodes")),
    "Stage" -> (of(Text, "status", "name", "call_site", "failure") ++ of(Texts, "steps", "changed") ++ of(Wholes, "job_ids") ++
      of(Whole, "stage", "attempt as stage_attempt", "execution_id", "rdd", "tasks", "submitted_ms", "completed_ms", "succeeded_tasks", "failed_tasks")),
    "Job" -> (of(Text, "status", "call_site", "failure") ++ of(Whole, "job as job_id", "execution_id", "submitted_ms", "ended_ms") ++
      of(Stages, "stages as stage_ids")),
    "Execution" -> (of(Text, "description", "failure") ++ of(Whole, "execution as execution_id", "started_ms", "ended_ms")),
    "Verdict" -> (of(Text, "step", "site", "gate", "result", "reason", "write as write_path") ++ of(Flag, "passed", "exact") ++ of(Number, "ratio", "limit_ratio") ++
      of(Whole, "in as rows_in", "dropped as rows_dropped", "limit_rows", "min_rows")),
    "Gate" -> (of(Text, "step") ++ of(Number, "limit_ratio") ++ of(Whole, "limit_rows", "min_rows")),
    "Health" -> Nil,
    "Failure" -> (of(Text, "step", "site", "error_class", "message", "stack_hash", "stack", "row_key", "key_hash", "record", "version", "executor", "host", "ceiling") ++
      of(Flag, "record_cut", "committed", "complete") ++
      of(Whole, "stage", "stage_attempt", "partition as task_partition", "task_attempt", "seen", "kept")),
    "LogLine" -> (of(Text, "executor", "level", "logger", "message", "thread") ++ of(Whole, "stage")))

  /** Figures of counters, in the counter's type. */
  val amounts: Seq[Column] = of(Whole, "committed", "attempted") ++ of(Number, "committed as committed_double", "attempted as attempted_double")

  /** The kinds in the table `failures_raw`; all others are in `metrics_raw`. */
  val ofFailures: Seq[String] = Seq("Failure", "LogLine")
  val ofMetrics: Seq[String] = Seq("Application", "Metric", "Stage", "Job", "Execution", "Verdict", "Health", "Gate")
}
