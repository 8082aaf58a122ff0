package andiron

import org.apache.spark.api.java.JavaRDD
import org.apache.spark.api.java.function.{FilterFunction, FlatMapFunction, Function => JavaFunction, Function2 => JavaFunction2, MapFunction}
import org.apache.spark.sql.{Column, Dataset, Encoder}

/**
 * The operators of [[Step]] for Java, with Spark's functional interfaces. Call counters, figures and gates as from
 * Scala.
 */
object JavaSteps {

  /** [[StepRows.keyed]]; add further options to the result. */
  def keyed[T](step: Step, key: JavaFunction[T, Object]): StepRows[T] = step.keyed[T]((row: T) => key.call(row))

  def describe[T](rows: StepRows[T], text: JavaFunction[T, String]): StepRows[T] = rows.describe((row: T) => text.call(row))

  def version[T](rows: StepRows[T], name: JavaFunction[T, String]): StepRows[T] = rows.version((row: T) => name.call(row))

  def redact[T](rows: StepRows[T], change: JavaFunction[String, String]): StepRows[T] = rows.redact((text: String) => change.call(text))

  /** [[StepRows.group]]. */
  def group[T](rows: StepRows[T], name: JavaFunction2[T, Throwable, Object]): StepRows[T] = rows.group((row: T, error: Throwable) => name.call(row, error))

  def map[T, U](step: Step, rows: Dataset[T], f: MapFunction[T, U], result: Encoder[U]): Dataset[U] = map(step.rows[T], rows, f, result)

  def map[T, U](step: StepRows[T], rows: Dataset[T], f: MapFunction[T, U], result: Encoder[U]): Dataset[U] =
    step.map(rows)((row: T) => f.call(row))(result)

  def flatMap[T, U](step: Step, rows: Dataset[T], f: FlatMapFunction[T, U], result: Encoder[U]): Dataset[U] = flatMap(step.rows[T], rows, f, result)

  def flatMap[T, U](step: StepRows[T], rows: Dataset[T], f: FlatMapFunction[T, U], result: Encoder[U]): Dataset[U] =
    step.flatMap(rows)((row: T) => all(f.call(row)))(result)

  def filter[T](step: Step, rows: Dataset[T], p: FilterFunction[T]): Dataset[T] = filter(step.rows[T], rows, p)

  def filter[T](step: StepRows[T], rows: Dataset[T], p: FilterFunction[T]): Dataset[T] = step.filter(rows)((row: T) => p.call(row))

  /** [[StepRows.mapWithVersion]]. */
  def mapWithVersion[T, V, U](step: StepRows[T], rows: Dataset[T], catalog: Catalog[V], version: Column, f: JavaFunction2[T, V, U], result: Encoder[U]): Dataset[U] =
    step.mapWithVersion(rows, catalog, version)((row: T, value: V) => f.call(row, value))(result)

  /** [[StepRows.mapWithVersion]] with a table. */
  def mapWithVersion[T, U](step: StepRows[T], rows: Dataset[T], table: Table, version: Column, f: JavaFunction2[T, TableVersion, U], result: Encoder[U]): Dataset[U] =
    step.mapWithVersion(rows, table, version)((row: T, value: TableVersion) => f.call(row, value))(result)

  def map[T, U](step: Step, rows: JavaRDD[T], f: JavaFunction[T, U]): JavaRDD[U] =
    JavaRDD.fromRDD(step.map(rows.rdd)((row: T) => f.call(row))(tag[U]))(tag[U])

  def flatMap[T, U](step: Step, rows: JavaRDD[T], f: FlatMapFunction[T, U]): JavaRDD[U] =
    JavaRDD.fromRDD(step.flatMap(rows.rdd)((row: T) => all(f.call(row)))(tag[U]))(tag[U])

  def filter[T](step: Step, rows: JavaRDD[T], p: JavaFunction[T, java.lang.Boolean]): JavaRDD[T] =
    JavaRDD.fromRDD(step.filter(rows.rdd)((row: T) => p.call(row).booleanValue))(rows.classTag)

  /** A gate with this ratio and the defaults of [[Gate]]. */
  def gate(step: Step, maxDropRatio: Double): Gate = Gate(step, maxDropRatio)

  def gate(step: Step, maxDropRatio: Double, maxDropped: Long, minRows: Long, onZeroRows: ZeroRows): Gate =
    Gate(step, maxDropRatio, maxDropped, minRows, onZeroRows)

  /** [[Andiron.guard]] around `body`. */
  def guard(body: Runnable, gates: Array[Gate]): Unit = Andiron.guard(gates.toSeq: _*)(body.run())

  private def all[U](rows: java.util.Iterator[U]): Vector[U] = {
    val made = Vector.newBuilder[U]
    rows.forEachRemaining(row => made += row)
    made.result()
  }

  private def tag[U]: scala.reflect.ClassTag[U] = scala.reflect.ClassTag.AnyRef.asInstanceOf[scala.reflect.ClassTag[U]]
}
