package andiron.internal.python

import org.apache.spark.sql.{DataFrame, Encoder, Encoders, Row}
import org.apache.spark.sql.functions.col
import org.apache.spark.sql.types.{ArrayType, StructType}

import andiron.{Step, StepCounter, StepRows}
import andiron.internal.metrics.SafeToShow
import andiron.internal.util.CallSite

/**
 * A row whose Python function raised an exception.
 *
 * @param kind the exception's class in Python, with its module
 */
final class PythonRowException(val kind: String, message: String) extends RuntimeException(s"$kind: $message") with SafeToShow

/**
 * A step's operators with Python functions. A worker has already evaluated the function: `rows` has a column `made`, a
 * struct of
 *
 *  - `value`: the function's result: a struct, an array of structs, or a boolean;
 *  - `error`: null, or a struct of `kind`, `message` and `frames`, an array of structs of `module`, `function`, `file`
 *    and `line`;
 *  - `text`, and `key`, `version` and `group` if the user defines them: a failed row's description for samples;
 *  - `identity` and `stack`, if the user redacts: the input of the row's hash, which is not shown, and the error's
 *    stack. All other texts are redacted by then;
 *  - `counts`: the function's additions to the step's counters, by name.
 *
 * From these the step's operator counts, drops and samples each row once, even if Spark recomputes it.
 */
object PythonSteps {

  /** The step's `map` for such rows. `counters` are the counters that `counts` may name. */
  def map(step: Step, rows: DataFrame, counters: java.util.List[StepCounter], place: String): DataFrame = CallSite.from(place) {
    val read = new Reader(rows.schema, counters)
    val value = read.made("value").dataType.asInstanceOf[StructType]
    implicit val encoder: Encoder[Row] = Encoders.row(value)
    described(step, read).map(rows)(row => read(row).getStruct(read.value))
  }

  /** As `map`, with an array as value. */
  def flatMap(step: Step, rows: DataFrame, counters: java.util.List[StepCounter], place: String): DataFrame = CallSite.from(place) {
    val read = new Reader(rows.schema, counters)
    val value = read.made("value").dataType.asInstanceOf[ArrayType].elementType.asInstanceOf[StructType]
    implicit val encoder: Encoder[Row] = Encoders.row(value)
    described(step, read).flatMap(rows)(row => read(row).getAs[scala.collection.Seq[Row]](read.value).toVector)
  }

  /** The column `row` of the rows with a true value. */
  def filter(step: Step, rows: DataFrame, counters: java.util.List[StepCounter], place: String): DataFrame = CallSite.from(place) {
    val read = new Reader(rows.schema, counters)
    described(step, read).filter(rows)(row => read(row).getBoolean(read.value)).select(col("row.*"))
  }

  /** The same rows, counted by the step. */
  def count(step: Step, rows: DataFrame, place: String): DataFrame = CallSite.from(place)(step.count(rows))

  private def described(step: Step, read: Reader): StepRows[Row] = {
    val shown = step.describe[Row](read.text(_, "text"))
    val keyed = if (read.has("key")) shown.keyed(read.text(_, "key")) else shown
    val versioned = if (read.has("version")) keyed.version(read.text(_, "version")) else keyed
    val grouped = if (read.has("group")) versioned.group((row, _) => read.text(row, "group")) else versioned
    if (read.has("identity")) grouped.redactedElsewhere(read.text(_, "identity"), read.text(_, "stack")) else grouped
  }

  /** Positions of the fields in a row. */
  private final class Reader(schema: StructType, counters: java.util.List[StepCounter]) extends Serializable {
    private val column = schema.fieldIndex("made")
    val made: StructType = schema(column).dataType.asInstanceOf[StructType]
    val value: Int = made.fieldIndex("value")
    private val error = made.fieldIndex("error")
    private val counts = made.fieldIndex("counts")
    private val counter = counters.toArray(Array.empty[StepCounter]).map(counter => counter.name -> counter).toMap

    /**
     * The struct of the row, after adding to the step's counters; throws the exception that its function raised. Only
     * within the step's function.
     */
    def apply(row: Row): Row = {
      val struct = row.getStruct(column)
      if (!struct.isNullAt(counts))
        struct.getAs[scala.collection.Map[String, Long]](counts).foreach { case (name, n) => counter.get(name).foreach(_.add(n)) }
      if (struct.isNullAt(error)) struct else throw raised(struct.getStruct(error))
    }

    private def raised(error: Row): PythonRowException = {
      val made = new PythonRowException(error.getAs[String]("kind"), error.getAs[String]("message"))
      val frames = error.getAs[scala.collection.Seq[Row]]("frames").map { frame =>
        new StackTraceElement(frame.getAs[String]("module"), frame.getAs[String]("function"), frame.getAs[String]("file"), frame.getAs[Int]("line"))
      }
      made.setStackTrace(frames.toArray)
      made
    }

    def has(name: String): Boolean = made.fieldNames.contains(name)

    def text(row: Row, name: String): String = row.getStruct(column).getAs[String](name)
  }
}
