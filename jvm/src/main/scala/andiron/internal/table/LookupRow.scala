package andiron.internal.table

import java.lang.ref.Reference

import org.apache.spark.andironshim.FieldInternalRow
import org.apache.spark.sql.types._
import org.apache.spark.unsafe.types.UTF8String

import andiron.internal.cache.Memory

/**
 * A record as Spark's rows have it: a field is read, and copied, when it is asked for. It stays readable after the lease,
 * as long as it is reachable; `copy()` is a row on the heap.
 *
 * @param memory keeps the record's address mapped
 * @param address the record's first byte
 */
private[andiron] final class LookupRow(of: LookupFields, fields: Array[LookupField], memory: LineMemory, address: Long) extends FieldInternalRow {
  private val start = LookupRow.values(address)

  override def numFields: Int = fields.length

  override def isNullAt(i: Int): Boolean = {
    val result =
      try fields(i).isNull(start)
      catch { case e: InternalError => of.lost(e) }
    Reference.reachabilityFence(memory)
    result
  }

  override def getBoolean(i: Int): Boolean = word(i) != 0

  override def getByte(i: Int): Byte = word(i).toByte

  override def getShort(i: Int): Short = word(i).toShort

  override def getInt(i: Int): Int = word(i).toInt

  override def getLong(i: Int): Long = word(i)

  override def getFloat(i: Int): Float = real(i).toFloat

  override def getDouble(i: Int): Double = real(i)

  override protected def field(i: Int): Any = {
    val result =
      try { if (fields(i).isNull(start)) null else fields(i).get(address, start) }
      catch { case e: InternalError => of.lost(e) }
    Reference.reachabilityFence(memory)
    result
  }

  private def word(i: Int): Long = {
    val result =
      try fields(i).word(address, start)
      catch { case e: InternalError => of.lost(e) }
    Reference.reachabilityFence(memory)
    result
  }

  private def real(i: Int): Double = {
    val result =
      try fields(i).real(address, start)
      catch { case e: InternalError => of.lost(e) }
    Reference.reachabilityFence(memory)
    result
  }
}

private[andiron] object LookupRow {

  /** The first byte of the values of the record at `address`. */
  def values(address: Long): Long = address + RowLayout.Frame + RowLayout.padded(Memory.short(address + 4) & 0xffff)
}

/** Reads a column in Spark's internal form: `record` is the record's first byte, `values` that of its values. Any thread. */
private[andiron] sealed abstract class LookupField {
  def isNull(values: Long): Boolean

  /** A value of at most 8 bytes that is no float, as a signed number; the value is not null. */
  def word(record: Long, values: Long): Long

  /** A float or double, which is not null. */
  def real(record: Long, values: Long): Double

  /** The value, which is not null, in a copy. */
  def get(record: Long, values: Long): Any
}

private[andiron] object LookupField {

  /** A column that the record lacks. */
  object Absent extends LookupField {
    override def isNull(values: Long): Boolean = true
    override def word(record: Long, values: Long): Long = 0
    override def real(record: Long, values: Long): Double = 0
    override def get(record: Long, values: Long): Any = null
  }

  /** Part `part` of the key. */
  final class OfKey(codec: KeyCodec, part: Int, target: DataType) extends LookupField {
    override def isNull(values: Long): Boolean = false
    override def word(record: Long, values: Long): Long = Memory.long(codec.place(part, record + RowLayout.Frame))
    override def real(record: Long, values: Long): Double = java.lang.Double.longBitsToDouble(word(record, values))
    override def get(record: Long, values: Long): Any = codec.internal(part, record + RowLayout.Frame, target)
  }

  /** A column that is no part of the key, as `target`, to which its own type widens. */
  final class OfValues(layout: RowLayout, cell: Cell, target: DataType) extends LookupField {
    private val own = cell.column.dataType
    private val width = TableSchema.width(own)
    private val nulls = new CellReader(layout, cell, target)
    private val at = cell.at
    private val variable = new VariableBytes(layout, cell)
    private val isFloat = own == FloatType

    override def isNull(values: Long): Boolean = nulls.isNull(values)

    override def word(record: Long, values: Long): Long = width match {
      case 8 => Memory.long(values + at)
      case 4 => Memory.int(values + at).toLong
      case 2 => Memory.short(values + at).toLong
      case _ => Memory.byte(values + at).toLong
    }

    override def real(record: Long, values: Long): Double =
      if (isFloat) java.lang.Float.intBitsToFloat(Memory.int(values + at)).toDouble else java.lang.Double.longBitsToDouble(Memory.long(values + at))

    override def get(record: Long, values: Long): Any = target match {
      case FloatType       => real(record, values).toFloat
      case DoubleType      => real(record, values)
      case _: StringType   => UTF8String.fromBytes(variable.copy(record, values))
      case BinaryType      => variable.copy(record, values)
      case _ if width == 0 => nested(record, values)
      case _ if width > 8  => KeyCodec.wide(values + at, target)
      case _               => KeyCodec.ofWord(word(record, values), target)
    }

    private def nested(record: Long, values: Long): Any = {
      val from = variable.start(values)
      FieldInternalRow.copied(target, variable.address(values, from), variable.size(record, values, from))
    }
  }
}

/**
 * The columns of one version's records, by the id of the record's schema. Any thread.
 *
 * @param damaged ends with the error for a record that cannot be read
 */
private[andiron] final class LookupFields(byId: Map[Int, Array[LookupField]], damaged: Throwable => Nothing) {
  @volatile private var last: (Int, Array[LookupField]) = byId.head

  /** The fields of the record at `address`. */
  def of(address: Long): Array[LookupField] = {
    val id = Memory.short(address + 6) & 0xffff
    val known = last
    if (known._1 == id) known._2
    else {
      val other = (id, byId.getOrElse(id, damaged(new IllegalStateException(s"a record has the schema $id, which the manifest does not name"))))
      last = other
      other._2
    }
  }

  def lost(error: InternalError): Nothing = damaged(error)
}

private[andiron] object LookupFields {

  /**
   * The fields for each schema of `schemas`, for a version whose rows have the schema `version`: those of its columns that
   * have the names of `chosen`, as the types of `chosen`. A name that the version lacks is null.
   */
  def read(version: TableSchema, schemas: Seq[TableSchema], codec: KeyCodec, chosen: StructType): Map[Int, Array[LookupField]] = {
    val key = codec.columns.map(_.id)
    schemas.map { own =>
      val layout = new RowLayout(own, key)
      own.id -> chosen.fields.map { field =>
        version.columns.find(_.name == field.name).fold[LookupField](LookupField.Absent) { column =>
          key.indexOf(column.id) match {
            case -1   => layout.cells.find(_.column.id == column.id).fold[LookupField](LookupField.Absent)(cell => new LookupField.OfValues(layout, cell, field.dataType))
            case part => new LookupField.OfKey(codec, part, field.dataType)
          }
        }
      }
    }.toMap
  }
}
