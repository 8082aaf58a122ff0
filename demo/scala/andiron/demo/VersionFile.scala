package andiron.demo

import java.nio.{ByteBuffer, ByteOrder}

import andiron.harness.{Features => Numbers}

/** A version's file, read in place: `int` and `long` give the little-endian integers at byte offsets. demo/layout.py defines and writes it. */
final class VersionFile(int: Long => Int, long: Long => Long) {
  import VersionFile._

  if (long(0) != Magic) throw new IllegalArgumentException("not a version's file: it does not start with ANDMETA1")
  private val month: Int = int(8)
  private val pages: Pages = new Pages(long, long(48), long(56), month)

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
    val start = long(24L + 8 * table)
    var low = 0
    var high = int(12L + 4 * table) - 1
    while (low <= high) {
      val middle = (low + high) >>> 1
      val at = start + middle.toLong * RecordBytes
      val found = long(at)
      if (found == key) return at
      if (found < key) low = middle + 1 else high = middle - 1
    }
    -1
  }

  private def value(record: Long, index: Int): Int = if (record < 0) Features.None else int(record + 8 + 4L * index)
}

object VersionFile {

  /** The file in a buffer, from its start to its limit. */
  def apply(buffer: ByteBuffer): VersionFile = {
    val bytes = buffer.duplicate().order(ByteOrder.LITTLE_ENDIAN)
    new VersionFile(offset => bytes.getInt(Math.toIntExact(offset)), offset => bytes.getLong(Math.toIntExact(offset)))
  }

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
final class Pages(long: Long => Long, at: Long, count: Long, month: Int) {
  /** Reads pages that `seed` chooses, and throws if the content of one differs from the written content. */
  def touch(seed: Int): Unit = {
    var i = 0
    while (count > 0 && i < Pages.PerFlight) {
      val page = java.lang.Long.remainderUnsigned(Numbers.mix(seed.toLong * Pages.PerFlight + i), count)
      val found = long(at + page * 4096)
      if (found != (month.toLong << 32 | page))
        throw new IllegalStateException(s"page $page of month $month holds ${found.toHexString}")
      i += 1
    }
  }
}

object Pages {
  val PerFlight = 8
}
