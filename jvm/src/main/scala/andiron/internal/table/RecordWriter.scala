package andiron.internal.table

import org.apache.spark.andironshim.PrivateTypes.InternalRow
import org.apache.spark.andironshim.TableInternals
import org.apache.spark.sql.types._

import andiron.{AndironException, ErrorCode}

/**
 * Packs rows of one schema into records, in the canonical form that docs/internals/tables.md defines. Rows have the
 * schema's columns in its order, in Spark's unsafe form. One thread at a time.
 */
private[andiron] final class RecordWriter(schema: TableSchema, key: Seq[Int], seed: Long, table: String) {
  val codec = new KeyCodec(key.map(id => schema.column(id).get).toIndexedSeq, seed, table)
  private val layout = new RowLayout(schema, key)
  private val ordinals = key.map(id => schema.columns.indexWhere(_.id == id)).toArray
  private val cells = layout.cells.map(cell => (cell, schema.columns.indexWhere(_.id == cell.column.id)))
  private val fixed = cells.filter { case (cell, _) => TableSchema.width(cell.column.dataType) > 0 }
  private val variable = layout.variable.map(cell => (cell, schema.columns.indexWhere(_.id == cell.column.id)))
  private var hashed = 0L

  /** The hash of the last row's key. */
  def hash: Long = hashed

  /** Appends the record of a row. */
  def write(row: InternalRow, into: RecordBuffer): Unit = {
    val start = into.length
    into.extendTo(start + RowLayout.Frame)
    val keyBytes = codec.write(row, ordinals, into)
    if (keyBytes < 0) refuse(row, keyBytes)
    hashed = codec.hash(into.array, start + RowLayout.Frame, keyBytes)
    into.pad(start)
    val values = into.length
    into.extendTo(values + layout.bytesAt)
    fixed.foreach { case (cell, ordinal) =>
      if (row.isNullAt(ordinal)) setNull(cell, values, row, into) else put(cell, row, ordinal, values, into)
    }
    variable.foreach { case (cell, ordinal) =>
      if (row.isNullAt(ordinal)) setNull(cell, values, row, into) else append(cell.column.dataType, row, ordinal, into)
      into.putInt(values + cell.at, into.length - values - layout.bytesAt)
    }
    into.pad(start)
    into.putInt(start, into.length - start)
    into.putShort(start + 4, keyBytes)
    into.putShort(start + 6, schema.id)
  }

  private def setNull(cell: Cell, values: Int, row: InternalRow, into: RecordBuffer): Unit = {
    if (cell.nullBit < 0)
      throw AndironException.of(ErrorCode.TableSchema,
        s"table $table: the row with ${codec.show(row, ordinals)} has no value in the column '${cell.column.name}', which Spark's schema calls not " +
          "nullable: filter such rows, or give the column a schema that allows null", null)
    into.setBit(values + layout.nullsAt, cell.nullBit)
  }

  private def put(cell: Cell, row: InternalRow, ordinal: Int, values: Int, into: RecordBuffer): Unit = {
    val at = values + cell.at
    cell.column.dataType match {
      case FloatType  => into.putInt(at, java.lang.Float.floatToIntBits(row.getFloat(ordinal)))
      case DoubleType => into.putLong(at, java.lang.Double.doubleToLongBits(row.getDouble(ordinal)))
      case of =>
        TableSchema.width(of) match {
          case 16 => KeyCodec.putWide(into, at, KeyCodec.decimal(row, ordinal, of).toJavaBigDecimal.unscaledValue)
          case 8  => into.putLong(at, KeyCodec.word(row, ordinal, of))
          case 4  => into.putInt(at, KeyCodec.word(row, ordinal, of).toInt)
          case 2  => into.putShort(at, KeyCodec.word(row, ordinal, of).toInt)
          case _  => into.putByte(at, KeyCodec.word(row, ordinal, of).toInt)
        }
    }
  }

  private def append(of: DataType, row: InternalRow, ordinal: Int, into: RecordBuffer): Unit = of match {
    case BinaryType => into.append(row.getBinary(ordinal))
    case _: StringType =>
      val text = row.getUTF8String(ordinal)
      into.append(text.getBaseObject, text.getBaseOffset, text.numBytes)
    case _ => TableInternals.nested(row, ordinal, of)((base, offset, size) => into.append(base, offset, size))
  }

  private def refuse(row: InternalRow, why: Int): Nothing =
    if (why == KeyCodec.TooLong)
      throw AndironException.of(ErrorCode.TableLimit,
        s"table $table: the key ${codec.show(row, ordinals)} has more than ${KeyCodec.Longest} bytes, the limit: use a digest of the column as key", null)
    else
      throw AndironException.of(ErrorCode.NullKey,
        s"table $table: a row has no value in the key column '${codec.columns(KeyCodec.Null - why).name}': filter such rows before publish", null)
}
