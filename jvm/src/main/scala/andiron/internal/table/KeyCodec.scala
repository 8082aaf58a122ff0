package andiron.internal.table

import java.math.BigInteger

import org.apache.spark.andironshim.PrivateTypes.InternalRow
import org.apache.spark.andironshim.TableInternals
import org.apache.spark.sql.types._
import org.apache.spark.unsafe.types.UTF8String

import andiron.internal.cache.{AndironErrors, Memory}

/**
 * Keys as bytes and hashes; docs/internals/tables.md defines both, `native/src/table/key.rs` is the same in Rust.
 *
 * @param columns the key columns, in the order of the key
 * @param table the table's name in messages
 */
private[andiron] final class KeyCodec(val columns: IndexedSeq[TableColumn], seed: Long, table: String) {
  private val parts: Array[Int] = columns.map(column => KeyCodec.part(column.dataType)).toArray
  private val isAlone = parts.length == 1

  /** Whether every key is one number of 8 bytes. */
  val isWord: Boolean = isAlone && (parts(0) == KeyCodec.Word || parts(0) == KeyCodec.Double)

  private val toInternal: Array[Any => Any] = columns.map(column => KeyCodec.internal(column, table)).toArray

  /**
   * Appends a key's bytes, from the columns of `row` at `ordinals`. Returns their number; `KeyCodec.TooLong` for more
   * than 65,535, and `KeyCodec.Null - n` if part n is null: then the buffer has parts of the key.
   */
  def write(row: InternalRow, ordinals: Array[Int], into: RecordBuffer): Int = {
    val start = into.length
    var n = 0
    while (n < parts.length) {
      val ordinal = ordinals(n)
      if (row.isNullAt(ordinal)) return KeyCodec.Null - n
      if (parts(n) == KeyCodec.Bytes) {
        if (!bytes(row, ordinal, columns(n).dataType, into)) return KeyCodec.TooLong
      } else {
        val at = into.length
        into.extendTo(at + (if (parts(n) == KeyCodec.Wide) 16 else 8))
        parts(n) match {
          case KeyCodec.Word   => into.putLong(at, KeyCodec.word(row, ordinal, columns(n).dataType))
          case KeyCodec.Double => into.putLong(at, KeyCodec.canonical(KeyCodec.double(row, ordinal, columns(n).dataType)))
          case _               => KeyCodec.putWide(into, at, KeyCodec.decimal(row, ordinal, columns(n).dataType).toJavaBigDecimal.unscaledValue)
        }
      }
      n += 1
    }
    if (into.length - start > KeyCodec.Longest) KeyCodec.TooLong else into.length - start
  }

  private def bytes(row: InternalRow, ordinal: Int, of: DataType, into: RecordBuffer): Boolean = of match {
    case BinaryType =>
      val bytes = row.getBinary(ordinal)
      length(bytes.length, into) && {
        into.append(bytes)
        true
      }
    case _ =>
      val text = row.getUTF8String(ordinal)
      length(text.numBytes, into) && {
        into.append(text.getBaseObject, text.getBaseOffset, text.numBytes)
        true
      }
  }

  private def length(bytes: Int, into: RecordBuffer): Boolean =
    if (bytes > KeyCodec.Longest) false
    else {
      if (!isAlone) {
        val at = into.length
        into.extendTo(at + 2)
        into.putShort(at, bytes)
      }
      true
    }

  /** A row with the key's parts, from external values; None if one is null, or a decimal that the column cannot have. */
  def rowOf(values: Seq[Any]): Option[InternalRow] = {
    if (values.length != parts.length)
      throw AndironErrors.bad(s"the key of table $table is (${columns.map(_.name).mkString(", ")}), and a lookup gives ${values.length} values")
    if (values.contains(null)) None
    else {
      val internal = values.zip(toInternal).map { case (value, convert) => convert(value) }
      if (internal.contains(null)) None else Some(TableInternals.internalRow(internal))
    }
  }

  /** The hash of a key of `length` bytes of the array. */
  def hash(key: Array[Byte], at: Int, length: Int): Long =
    if (isWord) KeyCodec.fmix64(Memory.long(key, at) ^ seed)
    else TableInternals.xxh64(key, KeyCodec.ArrayBase + at, length, seed)

  /** The value of part `number` of the key that begins at `address`, as a Row has it. */
  def read(number: Int, address: Long): Any = toExternal(number)(internal(number, address, columns(number).dataType))

  /** Where part `number` of the key that begins at `address` begins. */
  def place(number: Int, address: Long): Long = {
    var at = address
    var n = 0
    while (n < number) {
      at += (parts(n) match {
        case KeyCodec.Wide  => 16
        case KeyCodec.Bytes => 2 + (Memory.short(at) & 0xffff)
        case _              => 8
      })
      n += 1
    }
    at
  }

  /** The value of a part, as Spark's internal value of the type `of`, to which the column's type widens. */
  def internal(number: Int, address: Long, of: DataType): Any = {
    val at = place(number, address)
    parts(number) match {
      case KeyCodec.Word   => KeyCodec.ofWord(Memory.long(at), of)
      case KeyCodec.Double => if (of == FloatType) java.lang.Double.longBitsToDouble(Memory.long(at)).toFloat else java.lang.Double.longBitsToDouble(Memory.long(at))
      case KeyCodec.Wide   => KeyCodec.wide(at, of)
      case _ =>
        // The length of a single part is that of the key, which stands before it.
        val size = (if (isAlone) Memory.short(address - 4) else Memory.short(at)) & 0xffff
        val bytes = new Array[Byte](size)
        Memory.copy(if (isAlone) at else at + 2, bytes, 0, size)
        if (of == BinaryType) bytes else UTF8String.fromBytes(bytes)
    }
  }

  private val toExternal: Array[Any => Any] = columns.map(column => TableInternals.toExternal(column.dataType)).toArray

  /** A key of a row as messages show it. */
  def show(row: InternalRow, ordinals: Array[Int]): String = columns.indices.map { n =>
    val text = if (row.isNullAt(ordinals(n))) "null" else String.valueOf(row.get(ordinals(n), columns(n).dataType))
    s"${columns(n).name} = ${text.take(80)}"
  }.mkString(", ")
}

private[andiron] object KeyCodec {
  private final val Word = 0
  private final val Double = 1
  private final val Wide = 2
  private final val Bytes = 3

  /** The most bytes of a key. */
  val Longest = 65535

  /** `write` met more bytes than a key can have. */
  val TooLong = -1

  /** `write` met a null in part 0; less by n for part n. */
  val Null = -2

  private val ArrayBase = sun.misc.Unsafe.ARRAY_BYTE_BASE_OFFSET.toLong

  /** How a part of this type becomes bytes. */
  def part(of: DataType): Int = of match {
    case FloatType | DoubleType            => Double
    case BinaryType | _: StringType        => Bytes
    case _ if TableSchema.width(of) == 16  => Wide
    case _                                 => Word
  }

  /** The finaliser of MurmurHash3. */
  def fmix64(key: Long): Long = {
    var word = (key ^ key >>> 33) * 0xff51afd7ed558ccdL
    word = (word ^ word >>> 33) * 0xc4ceb9fe1a85ec53L
    word ^ word >>> 33
  }

  /** The bits of a double, with one form of zero and of NaN. */
  def canonical(value: Double): Long = java.lang.Double.doubleToLongBits(value + 0.0)

  private def double(row: InternalRow, ordinal: Int, of: DataType): Double = if (of == FloatType) row.getFloat(ordinal).toDouble else row.getDouble(ordinal)

  def decimal(row: InternalRow, ordinal: Int, of: DataType): Decimal = of match {
    case decimal: DecimalType => row.getDecimal(ordinal, decimal.precision, decimal.scale)
    case other                => throw new IllegalArgumentException(other.sql)
  }

  /** A value of at most 8 bytes that is no float, as a signed number. */
  def word(row: InternalRow, ordinal: Int, of: DataType): Long = of match {
    case BooleanType            => if (row.getBoolean(ordinal)) 1L else 0L
    case ByteType               => row.getByte(ordinal).toLong
    case ShortType              => row.getShort(ordinal).toLong
    case IntegerType | DateType => row.getInt(ordinal).toLong
    case _: DecimalType         => decimal(row, ordinal, of).toUnscaledLong
    case _                      => row.getLong(ordinal)
  }

  /** The reverse of `word`, as Spark's internal value. */
  def ofWord(word: Long, of: DataType): Any = of match {
    case BooleanType            => word != 0
    case ByteType               => word.toByte
    case ShortType              => word.toShort
    case IntegerType | DateType => word.toInt
    case decimal: DecimalType   => Decimal.createUnsafe(word, decimal.precision, decimal.scale)
    case _                      => word
  }

  /** 16 bytes, signed. */
  def putWide(into: RecordBuffer, at: Int, value: BigInteger): Unit = {
    into.putLong(at, value.longValue)
    into.putLong(at + 8, value.shiftRight(64).longValue)
  }

  /** The reverse of `putWide`. */
  def wide(address: Long, of: DataType): Decimal = {
    val low = new BigInteger(java.lang.Long.toUnsignedString(Memory.long(address)))
    val unscaled = BigInteger.valueOf(Memory.long(address + 8)).shiftLeft(64).add(low)
    val decimal = of.asInstanceOf[DecimalType]
    Decimal(new java.math.BigDecimal(unscaled, decimal.scale), decimal.precision, decimal.scale)
  }

  /** From an external value to the internal one; null for a decimal that the column cannot have. */
  private def internal(column: TableColumn, table: String): Any => Any = {
    def refuse(value: Any): Nothing = throw AndironErrors.bad(
      s"the key column '${column.name}' of table $table is ${column.dataType.sql}, and a lookup gives a ${value.getClass.getName}: $value")
    def whole(value: Any): Long = value match {
      case number: Byte  => number.toLong
      case number: Short => number.toLong
      case number: Int   => number.toLong
      case number: Long  => number
      case other         => refuse(other)
    }
    def within(least: Long, most: Long)(value: Any): Any = {
      val number = whole(value)
      if (number < least || number > most) null else ofWord(number, column.dataType)
    }
    column.dataType match {
      case BooleanType => {
        case truth: Boolean => truth
        case other          => refuse(other)
      }
      case ByteType    => within(Byte.MinValue.toLong, Byte.MaxValue.toLong)
      case ShortType   => within(Short.MinValue.toLong, Short.MaxValue.toLong)
      case IntegerType => within(Int.MinValue.toLong, Int.MaxValue.toLong)
      case LongType    => value => whole(value)
      case FloatType => {
        case float: Float => float
        case other        => refuse(other)
      }
      case DoubleType => {
        case double: Double => double
        case float: Float   => float.toDouble
        case other          => refuse(other)
      }
      case decimal: DecimalType => value =>
        val number = value match {
          case number: BigDecimal           => number.bigDecimal
          case number: java.math.BigDecimal => number
          case number: BigInt               => new java.math.BigDecimal(number.bigInteger)
          case number: BigInteger           => new java.math.BigDecimal(number)
          case other                        => java.math.BigDecimal.valueOf(whole(other))
        }
        val fits = number.stripTrailingZeros.scale <= decimal.scale
        val scaled = if (fits) number.setScale(decimal.scale) else null
        if (scaled == null || scaled.precision > decimal.precision) null else Decimal(scaled, decimal.precision, decimal.scale)
      case BinaryType => {
        case bytes: Array[Byte] => bytes
        case other              => refuse(other)
      }
      case of => value =>
        try TableInternals.toInternal(of)(value)
        catch { case _: IllegalArgumentException | _: MatchError | _: ClassCastException => refuse(value) }
    }
  }
}
