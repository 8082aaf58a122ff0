package andiron.internal.table

import andiron.internal.cache.Memory

/**
 * The place of a column's values: bytes from the start of a record's values, or of a variable value, to its end.
 *
 * @param nullBit the column's null bit; -1 if it is not nullable
 */
private[andiron] final case class Cell(column: TableColumn, at: Int, nullBit: Int)

/**
 * The places of the values of one schema: all columns but those of the key. docs/internals/tables.md defines them;
 * `native/src/table/layout.rs` is the same in Rust.
 */
private[andiron] final class RowLayout(val schema: TableSchema, key: Seq[Int]) {
  private val columns = schema.columns.filterNot(column => key.contains(column.id))
  private var next = 0
  private val places = Array.fill(columns.size)(0)

  place(column => TableSchema.width(column.dataType) == 16, 16)
  place(column => TableSchema.width(column.dataType) == 8, 8)
  place(column => TableSchema.width(column.dataType) == 4, 4)
  place(column => TableSchema.isNested(column.dataType), 4)
  place(column => TableSchema.width(column.dataType) == 0 && !TableSchema.isNested(column.dataType), 4)
  place(column => TableSchema.width(column.dataType) == 2, 2)
  place(column => TableSchema.width(column.dataType) == 1, 1)

  private val nulls = columns.count(_.nullable)

  /** In the order of the columns, which is that of the null bits of those that are nullable. */
  val cells: Array[Cell] = columns.indices.map { number =>
    val column = columns(number)
    Cell(column, places(number), if (column.nullable) columns.take(number).count(_.nullable) else -1)
  }.toArray

  /** The first byte of the null bits. */
  val nullsAt: Int = next

  /** The cells with variable bytes, in the order of the bytes. */
  val variable: Array[Cell] = {
    val (nested, plain) = cells.filter(cell => TableSchema.width(cell.column.dataType) == 0).partition(cell => TableSchema.isNested(cell.column.dataType))
    nested ++ plain
  }

  /** The start of the variable bytes, and the least length of values. */
  val bytesAt: Int = {
    val end = nullsAt + (nulls + 7) / 8
    if (cells.exists(cell => TableSchema.isNested(cell.column.dataType))) RowLayout.padded(end) else end
  }

  /** The place of the end before this variable cell's bytes; -1 for the first. */
  def endBefore(cell: Cell): Int = {
    val number = variable.indexWhere(_.column.id == cell.column.id)
    if (number <= 0) -1 else variable(number - 1).at
  }

  private def place(which: TableColumn => Boolean, width: Int): Unit =
    columns.indices.filter(number => which(columns(number))).foreach { number =>
      places(number) = next
      next += width
    }
}

/** The bytes of a variable value in records. Any thread. */
private[andiron] final class VariableBytes(layout: RowLayout, cell: Cell) {
  private val before = layout.endBefore(cell)

  /** Bytes from the first variable byte of the record to the value. Read it once for the calls of one value. */
  def start(values: Long): Int = if (before < 0) 0 else Memory.int(values + before)

  def address(values: Long, start: Int): Long = values + layout.bytesAt + start

  /**
   * The length of the value. A page that its file has lost reads as any number: a value that leaves the record is an
   * InternalError.
   */
  def size(record: Long, values: Long, start: Int): Int = {
    val size = Memory.int(values + cell.at) - start
    if (start < 0 || size < 0 || address(values, start) + size > record + (Memory.int(record) & 0xffffffffL))
      throw new InternalError("a value lies outside of its record")
    size
  }

  /** A copy of the value. */
  def copy(record: Long, values: Long): Array[Byte] = {
    val from = start(values)
    val bytes = new Array[Byte](size(record, values, from))
    Memory.copy(address(values, from), bytes, 0, bytes.length)
    bytes
  }
}

private[andiron] object RowLayout {

  /** Bytes before a record's key. */
  val Frame = 8

  /** The schema of a record that deletes its key. */
  val Deleted = 0xffff

  /** The next multiple of 8. */
  def padded(bytes: Int): Int = (bytes + 7) & ~7
}
