package andiron

import scala.annotation.varargs

import com.esotericsoftware.kryo.DefaultSerializer
import org.apache.spark.sql.Row
import org.apache.spark.sql.types.StructType

import andiron.internal.table.{LineMemory, RecordBuffer, RowReader}
import andiron.internal.cache.Hold
import andiron.internal.util.{OfThisProcess, Refusal}

/**
 * A version of a table, leased by a task. Any number of threads may read it. After the release every call, and every
 * call of a row that it gave, throws a ReleasedException. It cannot leave its process.
 *
 * Rows are read in place: nothing but a field is copied, when it is read. `row.copy()` is a row on the heap that outlives
 * the lease. A file that is truncated while it is read is a TableException.
 */
@DefaultSerializer(classOf[Refusal])
final class TableVersion private[andiron] (val name: String, memory: LineMemory, relative: Int, hold: Hold, reader: RowReader) extends OfThisProcess {
  private val ordinals = reader.codec.columns.indices.toArray

  /** The columns of rows, key columns included. */
  def schema: StructType = reader.schema

  /**
   * The row with this key; None if the version has none, or if a part of the key is null. The parts are in the order of
   * `table.key`, as values of a Row: a whole number for any column of whole numbers, an Instant or Timestamp, a LocalDate or
   * Date. A value of another type is a SettingException.
   */
  @varargs
  def get(key: Any*): Option[Row] = Option(getOrNull(key: _*))

  /** As `get`, with null for None. */
  @varargs
  def getOrNull(key: Any*): Row = {
    val address = find(key)
    if (address == 0) null else reader.row(memory, hold, address)
  }

  /** Whether the version has a row with this key. */
  @varargs
  def contains(key: Any*): Boolean = find(key) != 0

  private def find(key: Seq[Any]): Long = {
    if (hold.isReleasedNow) hold.fail()
    reader.codec.rowOf(key) match {
      case None => 0L
      case Some(row) =>
        val buffer = new RecordBuffer
        val length = reader.codec.write(row, ordinals, buffer)
        if (length < 0) 0L
        else {
          buffer.pad(0)
          try memory.find(buffer.array, length, reader.codec.hash(buffer.array, 0, length), relative)
          catch { case e: InternalError => reader.lost(e) }
        }
    }
  }

  override def toString: String = s"TableVersion($name)"
}
