package andiron.demo

import java.nio.{ByteBuffer, ByteOrder}

/** Little-endian integers at byte offsets. */
trait Words {
  def int(offset: Long): Int
  def long(offset: Long): Long
}

/** A buffer, on or off the heap, from its start to its limit. */
final class BufferWords(buffer: ByteBuffer) extends Words {
  private val bytes = buffer.duplicate().order(ByteOrder.LITTLE_ENDIAN)
  def int(offset: Long): Int = bytes.getInt(Math.toIntExact(offset))
  def long(offset: Long): Long = bytes.getLong(Math.toIntExact(offset))
}

/** A version's file, read in place. demo/layout.py defines and writes it. */
final class VersionFile(words: Words) {
  import VersionFile._

  if (words.long(0) != Magic) throw new IllegalArgumentException("not a version's file: it does not start with ANDMETA1")
  private val month: Int = words.int(8)
  private val pages: Pages = new Pages(words, words.long(48), words.long(56), month)

  def facts(flight: Flight): Facts = {
    pages.touch(flight.id)
    val w = find(Weather, weatherKey(flight.origin, flight.hour))
    val p = find(Planes, textKey(flight.tailnum))
    val a = find(Airports, textKey(flight.dest))
    Facts(value(w, 0), value(w, 1), value(w, 2), value(w, 3), value(p, 0), value(p, 1), value(p, 2), value(p, 3),
      value(a, 0), value(a, 1), value(a, 2))
  }

  /** The offset of the record of `key`, or a negative number. */
  private def find(table: Int, key: Long): Long = {
    val start = words.long(24L + 8 * table)
    var low = 0
    var high = words.int(12L + 4 * table) - 1
    while (low <= high) {
      val middle = (low + high) >>> 1
      val at = start + middle.toLong * RecordBytes
      val found = words.long(at)
      if (found == key) return at
      if (found < key) low = middle + 1 else high = middle - 1
    }
    -1
  }

  private def value(record: Long, index: Int): Int = if (record < 0) Features.None else words.int(record + 8 + 4L * index)
}

object VersionFile {
  val Weather = 0
  val Planes = 1
  val Airports = 2
  private val RecordBytes = 24
  private val Magic = ByteBuffer.wrap("ANDMETA1".getBytes("US-ASCII")).order(ByteOrder.LITTLE_ENDIAN).getLong(0)

  /** Up to seven ASCII characters as a number; the keys of one table sort like their texts. */
  def textKey(text: String): Long = {
    var key = 0L
    var i = 0
    while (i < text.length) {
      key = key << 8 | text.charAt(i)
      i += 1
    }
    key
  }

  def weatherKey(origin: String, hour: Int): Long = textKey(origin) << 16 | hour.toLong
}

/** The pages that pad a version to the requested size; each holds its month and number. */
final class Pages(words: Words, at: Long, count: Long, month: Int) {
  /** Reads pages that `seed` chooses, and throws if the content of one differs from the written content. */
  def touch(seed: Int): Unit = {
    var i = 0
    while (count > 0 && i < Pages.PerFlight) {
      val page = java.lang.Long.remainderUnsigned(Pages.mix(seed.toLong * Pages.PerFlight + i), count)
      val found = words.long(at + page * 4096)
      if (found != (month.toLong << 32 | page))
        throw new IllegalStateException(s"page $page of month $month holds ${found.toHexString}")
      i += 1
    }
  }
}

object Pages {
  val PerFlight = 8

  private def mix(seed: Long): Long = {
    val a = seed * 0x9e3779b97f4a7c15L
    val b = (a ^ a >>> 30) * 0xbf58476d1ce4e5b9L
    b ^ b >>> 31
  }
}
