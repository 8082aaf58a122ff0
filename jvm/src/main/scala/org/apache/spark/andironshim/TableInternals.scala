package org.apache.spark.andironshim

import org.apache.spark.SparkContext
import org.apache.spark.rdd.RDD
import org.apache.spark.sql.{Dataset, Row}
import org.apache.spark.sql.catalyst.{CatalystTypeConverters, InternalRow}
import org.apache.spark.sql.catalyst.analysis.NoSuchTableException
import org.apache.spark.sql.catalyst.expressions.{GenericRow, GenericRowWithSchema, UnsafeArrayData, UnsafeMapData, UnsafeProjection, UnsafeRow, XXH64}
import org.apache.spark.sql.connector.catalog.Identifier
import org.apache.spark.sql.execution.QueryExecution
import org.apache.spark.sql.types.{ArrayType, DataType, MapType, StructType}

/** The parts of Spark's private API that tables use: rows of plans, hashes, and nested values in their unsafe forms. */
object TableInternals {

  /** The rows of a Dataset as its plan gives them; the next row may overwrite the one before. */
  def rows(dataset: Dataset[_]): RDD[InternalRow] = execution(dataset).toRdd

  /** The steps in a Dataset's plan, and below the RDDs that it reads. */
  def steps(dataset: Dataset[_], lineage: JobLineage): Set[Long] = WriteWalk.stepsOf(execution(dataset).analyzed, lineage)

  /** By reflection: in Spark 4 the method belongs to a subclass of Dataset. */
  private def execution(dataset: Dataset[_]): QueryExecution =
    dataset.getClass.getMethod("queryExecution").invoke(dataset).asInstanceOf[QueryExecution]

  /**
   * Makes rows whose nested values are in the unsafe forms; the next row overwrites the one before. A null is kept as one
   * also where the schema allows none.
   */
  def unsafe(schema: StructType): InternalRow => InternalRow = UnsafeProjection.create(schema.asNullable)

  /** XXH64 of `length` bytes. */
  def xxh64(base: AnyRef, offset: Long, length: Int, seed: Long): Long = XXH64.hashUnsafeBytes(base, offset, length, seed)

  /** Gives a setting of future sessions a value, unless it has one. Call it before the first session. */
  def setIfMissing(context: SparkContext, key: String, value: String): Unit = context.conf.setIfMissing(key, value): Unit

  /** The error by which Spark learns that a catalog has no table of a name. */
  def noSuchTable(name: Identifier): Exception = new NoSuchTableException(name)

  /** A row of external values that knows its columns. */
  def row(values: Seq[Any], schema: StructType): Row = new GenericRowWithSchema(values.toArray, schema)

  /** A row of Spark's internal values. */
  def internalRow(values: Seq[Any]): InternalRow = InternalRow.fromSeq(values)

  /** From an external value, such as a LocalDate, to Spark's internal one; an exception for a value of another type. */
  def toInternal(of: DataType): Any => Any = CatalystTypeConverters.createToCatalystConverter(of)

  /** From an internal value to the external one of a Row. */
  def toExternal(of: DataType): Any => Any = CatalystTypeConverters.createToScalaConverter(of)

  /** Passes base object, offset and size of a nested value of a row that `unsafe` made. */
  def nested(row: InternalRow, ordinal: Int, of: DataType)(take: (AnyRef, Long, Int) => Unit): Unit = of match {
    case _: ArrayType =>
      val array = row.getArray(ordinal).asInstanceOf[UnsafeArrayData]
      take(array.getBaseObject, array.getBaseOffset, array.getSizeInBytes)
    case _: MapType =>
      val map = row.getMap(ordinal).asInstanceOf[UnsafeMapData]
      take(map.getBaseObject, map.getBaseOffset, map.getSizeInBytes)
    case struct: StructType =>
      val inner = row.getStruct(ordinal, struct.length).asInstanceOf[UnsafeRow]
      take(inner.getBaseObject, inner.getBaseOffset, inner.getSizeInBytes)
    case other => throw new IllegalArgumentException(other.sql)
  }

  /** A nested value in memory, in its unsafe form, which `toExternal` copies. */
  def pointed(of: DataType, address: Long, size: Int): Any = of match {
    case _: ArrayType =>
      val array = new UnsafeArrayData
      array.pointTo(null, address, size)
      array
    case _: MapType =>
      val map = new UnsafeMapData
      map.pointTo(null, address, size)
      map
    case struct: StructType =>
      val row = new UnsafeRow(struct.length)
      row.pointTo(null, address, size)
      row
    case other => throw new IllegalArgumentException(other.sql)
  }
}

/**
 * A row whose fields are read when they are asked for. It extends a class of Spark's, since a class that mixes in `Row`
 * itself carries methods whose types Spark 4 does not have.
 */
abstract class FieldRow extends GenericRow {
  override def toSeq: Seq[Any] = (0 until length).map(get)

  /** A row on the heap. */
  override def copy(): GenericRow = new GenericRowWithSchema(toSeq.toArray, schema)
}
