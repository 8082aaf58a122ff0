package andiron.internal.table

import java.lang.ref.Reference
import java.nio.charset.StandardCharsets.UTF_8

import com.esotericsoftware.kryo.DefaultSerializer
import org.apache.spark.andironshim.{FieldRow, TableInternals}
import org.apache.spark.sql.types._

import andiron.internal.cache.{Hold, Memory}
import andiron.internal.util.{OfThisProcess, Refusal}

/**
 * A record read in place. After the release of its lease every call throws a ReleasedException. Cannot leave its
 * process; `copy()` is a row on the heap that can.
 *
 * @param memory keeps the record's address mapped
 * @param address the record's first byte
 */
@DefaultSerializer(classOf[Refusal])
private[andiron] final class TableRow(reader: RowReader, fields: Array[FieldReader], memory: AnyRef, hold: Hold, address: Long) extends FieldRow {
  private val start = address + RowLayout.Frame + RowLayout.padded(Memory.short(address + 4) & 0xffff)

  override def length: Int = fields.length

  override def schema: StructType = reader.schema

  override def fieldIndex(name: String): Int = reader.schema.fieldIndex(name)

  override def get(i: Int): Any = read(if (fields(i).isNull(start)) null else fields(i).get(address, start))

  override def isNullAt(i: Int): Boolean = read(fields(i).isNull(start))

  override def getLong(i: Int): Long = if (fields(i).isLong) read { notNull(i); Memory.long(start + fields(i).at) } else super.getLong(i)

  override def getInt(i: Int): Int = if (fields(i).isInt) read { notNull(i); Memory.int(start + fields(i).at) } else super.getInt(i)

  override def getDouble(i: Int): Double =
    if (fields(i).isDouble) read { notNull(i); java.lang.Double.longBitsToDouble(Memory.long(start + fields(i).at)) } else super.getDouble(i)

  private def notNull(i: Int): Unit =
    if (fields(i).isNull(start)) throw new NullPointerException(s"the column '${reader.schema(i).name}' is null in this row: ask isNullAt first")

  private def read[A](value: => A): A = {
    if (hold.isReleased) hold.fail()
    val result =
      try value
      catch { case e: InternalError => reader.lost(e) }
    Reference.reachabilityFence(memory)
    result
  }

  private def writeReplace(): AnyRef = throw OfThisProcess.refused(classOf[TableRow])
}

/** Reads the columns of one version from records of any schema that its line has. Any thread. */
private[andiron] final class RowReader(target: TableSchema, schemas: Seq[TableSchema], key: Seq[Int], val codec: KeyCodec, damaged: Throwable => Nothing) {
  val schema: StructType = target.toStruct

  private val byId = schemas.map(own => own.id -> fields(new RowLayout(own, key))).toMap
  @volatile private var last: (Int, Array[FieldReader]) = byId.head

  /** The row of the record at `address`. */
  def row(memory: AnyRef, hold: Hold, address: Long): TableRow = {
    val id = Memory.short(address + 6) & 0xffff
    val known = last
    val found =
      if (known._1 == id) known
      else {
        val other = (id, byId.getOrElse(id, damaged(new IllegalStateException(s"a record has the schema $id, which the manifest does not name"))))
        last = other
        other
      }
    new TableRow(this, found._2, memory, hold, address)
  }

  /** Ends with the error for a page that its file has lost. */
  def lost(error: InternalError): Nothing = damaged(error)

  private def fields(layout: RowLayout): Array[FieldReader] = target.columns.map { column =>
    key.indexOf(column.id) match {
      case -1 =>
        layout.cells.find(_.column.id == column.id) match {
          case Some(cell) => new CellReader(layout, cell, column.dataType)
          case None       => AbsentReader
        }
      case part => new KeyReader(codec, part)
    }
  }.toArray
}

/** Reads a column of a record: `address` is the record's first byte, `values` that of its values. */
private[andiron] sealed abstract class FieldReader {
  def isNull(values: Long): Boolean

  /** The value, which is not null, as a Row has it. */
  def get(address: Long, values: Long): Any

  /** The place of a value of fixed width. */
  def at: Int = 0

  def isLong: Boolean = false
  def isInt: Boolean = false
  def isDouble: Boolean = false
}

/** A column that the record's schema lacks. */
private[andiron] object AbsentReader extends FieldReader {
  override def isNull(values: Long): Boolean = true
  override def get(address: Long, values: Long): Any = null
}

private[andiron] final class KeyReader(codec: KeyCodec, part: Int) extends FieldReader {
  override def isNull(values: Long): Boolean = false
  override def get(address: Long, values: Long): Any = codec.read(part, address + RowLayout.Frame)
}

private[andiron] final class CellReader(layout: RowLayout, cell: Cell, target: DataType) extends FieldReader {
  private val own = cell.column.dataType
  private val nullByte = layout.nullsAt + (cell.nullBit >> 3)
  private val nullMask = if (cell.nullBit < 0) 0 else 1 << (cell.nullBit & 7)
  private val bytes = new VariableBytes(layout, cell)
  private val convert = TableInternals.toExternal(target)

  override val at: Int = cell.at
  override val isLong: Boolean = own == LongType && target == LongType
  override val isInt: Boolean = own == IntegerType && target == IntegerType
  override val isDouble: Boolean = own == DoubleType && target == DoubleType

  override def isNull(values: Long): Boolean = nullMask != 0 && (Memory.byte(values + nullByte) & nullMask) != 0

  override def get(address: Long, values: Long): Any = own match {
    case FloatType =>
      val float = java.lang.Float.intBitsToFloat(Memory.int(values + at))
      if (target == DoubleType) float.toDouble else float
    case DoubleType => java.lang.Double.longBitsToDouble(Memory.long(values + at))
    case _ =>
      TableSchema.width(own) match {
        case 0  => variable(address, values)
        case 16 => convert(KeyCodec.wide(values + at, target))
        case 8  => number(Memory.long(values + at))
        case 4  => number(Memory.int(values + at).toLong)
        case 2  => number(Memory.short(values + at).toLong)
        case _  => number(Memory.byte(values + at).toLong)
      }
  }

  private def number(word: Long): Any = convert(KeyCodec.ofWord(word, target))

  private def variable(address: Long, values: Long): Any = own match {
    case BinaryType    => bytes.copy(address, values)
    case _: StringType => new String(bytes.copy(address, values), UTF_8)
    case nested =>
      val from = bytes.start(values)
      convert(TableInternals.pointed(nested, bytes.address(values, from), bytes.size(address, values, from)))
  }
}
