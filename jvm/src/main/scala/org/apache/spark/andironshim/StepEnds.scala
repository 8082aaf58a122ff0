package org.apache.spark.andironshim

import org.apache.spark.sql.catalyst.{CatalystTypeConverters, InternalRow}
import org.apache.spark.sql.catalyst.expressions.{Attribute, Expression, UnsafeProjection}
import org.apache.spark.sql.catalyst.expressions.codegen.GenerateSafeProjection
import org.apache.spark.sql.execution.ObjectOperator
import org.apache.spark.sql.types.{DataType, StructField, StructType}

/**
 * The conversions at both ends of a step's function in one evaluation of a partition: from the operator's input row to
 * an object, and from the function's result to a row. An exception in either is a failure of the row.
 */
abstract class StepEnds[I, T, U, O] {

  /** The object of a row. */
  def read(row: I): T

  /** The row of an object; the next call may overwrite it. */
  def write(made: U): O

  /** A copy of the row that no call overwrites. */
  def keep(row: O): O

  /** The columns of a row that could not be read. */
  def columns(row: I): Seq[(String, Any)]
}

/** The conversions of a plan. */
private[andironshim] object StepEnds {
  type InPlan = StepEnds[InternalRow, Any, Any, InternalRow]

  /** The input conversion: a deserializer over rows with these columns; or None if the only column is the object. */
  final case class Reading(deserializer: Option[Expression], columns: Seq[Attribute])

  /** The output conversion: a serializer; or None if the row contains the object, of this type. */
  final case class Writing(serializer: Option[Seq[Expression]], kind: DataType)

  /** The conversions for each evaluation, by partition number. */
  def of(reading: Reading, writing: Writing): Int => InPlan = new InRows(reading, writing, _)

  private final class InRows(reading: Reading, writing: Writing, partition: Int) extends InPlan {
    private val kind = reading.deserializer.fold(reading.columns.head.dataType)(_.dataType)
    private val objects: InternalRow => InternalRow = reading.deserializer.fold[InternalRow => InternalRow](identity) { deserializer =>
      val projection = GenerateSafeProjection.generate(deserializer :: Nil, reading.columns)
      projection.initialize(partition)
      projection
    }
    private val rows: InternalRow => InternalRow = writing.serializer.fold[InternalRow => InternalRow](identity) { serializer =>
      val projection = UnsafeProjection.create(serializer)
      projection.initialize(partition)
      projection
    }
    private val wrapped = ObjectOperator.wrapObjectToRow(writing.kind)

    override def read(row: InternalRow): Any = objects(row).get(0, kind)

    override def write(made: Any): InternalRow = rows(wrapped(made))

    override def keep(row: InternalRow): InternalRow = row.copy()

    override def columns(row: InternalRow): Seq[(String, Any)] = if (reading.deserializer.isEmpty) Nil else {
      val schema = StructType(reading.columns.map(column => StructField(column.name, column.dataType, column.nullable)))
      val values = CatalystTypeConverters.createToScalaConverter(schema)(row).asInstanceOf[org.apache.spark.sql.Row]
      reading.columns.map(_.name).zip(values.toSeq)
    }
  }
}
