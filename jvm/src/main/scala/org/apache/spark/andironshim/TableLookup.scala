package org.apache.spark.andironshim

import org.apache.spark.TaskContext
import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.catalyst.expressions.{Expression, GenericInternalRow, UnsafeArrayData, UnsafeMapData, UnsafeRow}
import org.apache.spark.sql.catalyst.expressions.codegen.{Block, CodegenContext, ExprCode}
import org.apache.spark.sql.catalyst.expressions.codegen.Block._
import org.apache.spark.sql.types._
import org.apache.spark.unsafe.types.UTF8String

/** The versions of a table, and the columns to read, as plans carry them. Two are equal if all results are. */
trait LookupSource extends Serializable {

  /** The table's name in plans. */
  def label: String

  /** The columns of a record. */
  def result: StructType

  /** The types of the key's parts in the table. */
  def key: Seq[DataType]

  /** A reader for the calling thread. */
  def begin(): LookupReader
}

/**
 * Finds records. A key of one part that is neither text, binary nor a wide decimal is given to `findWord`; of others the
 * parts are put in their order before `find`. The result is null if there is no record. One thread.
 */
abstract class LookupReader {
  def findWord(version: UTF8String, key: Long): InternalRow

  /** Finds the key that was put. */
  def find(version: UTF8String): InternalRow

  /** Begins another key. */
  def clear(): Unit
  def putWord(part: Long): Unit
  def putWide(part: Decimal): Unit
  def putText(part: UTF8String): Unit
  def putBinary(part: Array[Byte]): Unit

  /** The word for a part of type float or double. */
  def bits(part: Double): Long
}

/** A row whose fields are read when they are asked for. The base class has the getters that each Spark knows. */
abstract class FieldInternalRow extends GenericInternalRow(FieldInternalRow.none) {

  /** A value in Spark's internal form, or null. */
  protected def field(ordinal: Int): Any

  override protected final def genericGet(ordinal: Int): Any = field(ordinal)

  override def toSeq(fieldTypes: Seq[DataType]): Seq[Any] = (0 until numFields).map(field)

  override def setNullAt(i: Int): Unit = throw new UnsupportedOperationException("a record of a table does not change")

  override def update(i: Int, value: Any): Unit = throw new UnsupportedOperationException("a record of a table does not change")

  protected def writeReplace(): AnyRef = copy()
}

object FieldInternalRow {
  private val none = Array.empty[Any]

  /** A nested value in memory, in its unsafe form, copied to the heap. */
  def copied(of: DataType, address: Long, size: Int): Any = TableInternals.pointed(of, address, size) match {
    case array: UnsafeArrayData => array.copy()
    case map: UnsafeMapData     => map.copy()
    case row: UnsafeRow         => row.copy()
    case other                  => throw new IllegalArgumentException(other.getClass.getName)
  }
}

/**
 * The record of a key in the version that a row names: null if a part of the key or the version is null, or if there is no
 * record. It is deterministic, since a version never changes. The key's parts have types that widen to those of the
 * table, and so the same bytes.
 */
private[andironshim] final case class TableLookup(source: LookupSource, version: Expression, keys: Seq[Expression]) extends Expression {
  override def children: Seq[Expression] = version +: keys

  override def nullable: Boolean = true

  /** A constant lookup must not be evaluated while the driver plans: it would load the table there. */
  override def foldable: Boolean = false

  override def dataType: DataType = source.result

  override def prettyName: String = TableFunctions.Lookup

  override def toString: String = s"$prettyName(${source.label}, ${children.mkString(", ")})"

  override def sql: String = s"$prettyName('${source.label}', ${children.map(_.sql).mkString(", ")})"

  override protected def withNewChildrenInternal(newChildren: IndexedSeq[Expression]): TableLookup =
    copy(version = newChildren.head, keys = newChildren.tail)

  private def kinds: Array[Int] = source.key.map(KeyPart.of).toArray

  private def isWord: Boolean = KeyPart.isWord(source.key)

  @transient private lazy val interpreted = new InterpretedLookup(source)

  override def eval(input: InternalRow): Any = {
    val name = version.eval(input)
    if (name == null) null else interpreted.find(name.asInstanceOf[UTF8String], keys, input)
  }

  override protected def doGenCode(ctx: CodegenContext, ev: ExprCode): ExprCode = {
    val reader = GeneratedReaders.of(ctx, source)
    val row = classOf[InternalRow].getName
    val name = version.genCode(ctx)
    val parts = keys.map(_.genCode(ctx))
    val words = kinds.zip(keys).zip(parts).map { case ((kind, key), part) => KeyPart.word(kind, key.dataType, part, reader) }
    val find: Block =
      if (isWord) code"${ev.value} = $reader.findWord(${name.value}, ${words.head});"
      else {
        val puts = kinds.indices.map(n => KeyPart.put(kinds(n), words(n), parts(n), reader)).mkString(" ")
        code"""
           |$reader.clear();
           |$puts
           |${ev.value} = $reader.find(${name.value});
         """.stripMargin
      }
    val found: Block = code"$find ${ev.isNull} = ${ev.value} == null;"
    val whole = (name +: parts).foldRight(found) { (child, inner) => code"${child.code} if (!${child.isNull}) { $inner }" }
    ev.copy(code = code"""
       |boolean ${ev.isNull} = true;
       |$row ${ev.value} = null;
       |$whole
     """.stripMargin)
  }
}

/** The readers of generated classes: lookups of one source share a reader, which keeps the last record. */
private object GeneratedReaders {
  private val known = new java.util.WeakHashMap[CodegenContext, Vector[(LookupSource, String)]]

  /** Java's expression of the reader. */
  def of(ctx: CodegenContext, source: LookupSource): String = synchronized {
    val all = Option(known.get(ctx)).getOrElse(Vector.empty)
    all.collectFirst { case (same, reader) if same == source => reader }.getOrElse {
      val from = ctx.addReferenceObj("lookupSource", source, classOf[LookupSource].getName)
      val reader = ctx.addMutableState(classOf[LookupReader].getName, "lookup", name => s"$name = $from.begin();")
      known.put(ctx, all :+ (source -> reader))
      reader
    }
  }
}

/** Lookups without generated code. Each task and thread has a reader of its own. */
private final class InterpretedLookup(source: LookupSource) {
  private val kinds = source.key.map(KeyPart.of).toArray
  private val isWord = KeyPart.isWord(source.key)
  @volatile private var last: InterpretedLookup.Use = _

  def find(version: UTF8String, keys: Seq[Expression], input: InternalRow): InternalRow = {
    val values = keys.map(_.eval(input))
    if (values.contains(null)) null
    else {
      val reader = current()
      if (isWord) reader.findWord(version, word(kinds.head, values.head, reader))
      else {
        reader.clear()
        var n = 0
        values.foreach { value =>
          kinds(n) match {
            case KeyPart.Wide   => reader.putWide(value.asInstanceOf[Decimal])
            case KeyPart.Text   => reader.putText(value.asInstanceOf[UTF8String])
            case KeyPart.Binary => reader.putBinary(value.asInstanceOf[Array[Byte]])
            case kind           => reader.putWord(word(kind, value, reader))
          }
          n += 1
        }
        reader.find(version)
      }
    }
  }

  private def word(kind: Int, value: Any, reader: LookupReader): Long = value match {
    case truth: Boolean   => if (truth) 1L else 0L
    case decimal: Decimal => decimal.toUnscaledLong
    case number: Number   => if (kind == KeyPart.Real) reader.bits(number.doubleValue) else number.longValue
    case other            => throw new IllegalArgumentException(other.getClass.getName)
  }

  private def current(): LookupReader = {
    val context = TaskContext.get()
    val known = last
    if (known != null && (known.context eq context) && (known.thread eq Thread.currentThread())) known.reader
    else {
      val use = new InterpretedLookup.Use(context, Thread.currentThread(), source.begin())
      last = use
      use.reader
    }
  }
}

private object InterpretedLookup {
  final class Use(val context: TaskContext, val thread: Thread, val reader: LookupReader)
}

/** How the parts of a key become bytes. */
private object KeyPart {
  final val Word = 0
  final val Real = 1
  final val Wide = 2
  final val Text = 3
  final val Binary = 4

  /** By the type in the table: a part of a narrower type has the same bytes. */
  def of(dataType: DataType): Int = dataType match {
    case FloatType | DoubleType                                                 => Real
    case decimal: DecimalType if decimal.precision > Decimal.MAX_LONG_DIGITS    => Wide
    case BinaryType                                                             => Binary
    case _: StringType                                                          => Text
    case _                                                                      => Word
  }

  def isWord(key: Seq[DataType]): Boolean = key.size == 1 && (of(key.head) == Word || of(key.head) == Real)

  /** Java's expression of a part's word. */
  def word(kind: Int, from: DataType, part: ExprCode, reader: String): String = (kind, from) match {
    case (Real, _)              => s"$reader.bits((double) ${part.value})"
    case (Word, BooleanType)    => s"(${part.value} ? 1L : 0L)"
    case (Word, _: DecimalType) => s"${part.value}.toUnscaledLong()"
    case (Word, _)              => s"(long) ${part.value}"
    case _                      => ""
  }

  /** Java's statement that puts a part. */
  def put(kind: Int, word: String, part: ExprCode, reader: String): String = kind match {
    case Wide   => s"$reader.putWide(${part.value});"
    case Text   => s"$reader.putText(${part.value});"
    case Binary => s"$reader.putBinary(${part.value});"
    case _      => s"$reader.putWord($word);"
  }
}
