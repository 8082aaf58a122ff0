package andiron.internal.table

import java.lang.ref.Reference

import andiron.internal.boundary.NativeTable
import andiron.internal.cache.{Memory, Views}

/**
 * A version of a line in memory, with all versions before it. Index and records stay mapped as long as this object is
 * reachable. Any thread.
 */
private[andiron] final class LineMemory private (region: Long, directory: Long, bits: Int) {

  /**
   * The address of the record of a key in a version that this object has; 0 if there is none.
   *
   * @param key the key's bytes, followed by zeros to a multiple of 8
   */
  def find(key: Array[Byte], length: Int, hash: Long, version: Int): Long = {
    val entry = directory + 16L * TableDescription.shard(hash, bits)
    val index = Memory.long(entry)
    val slots = Memory.long(entry + 8)
    val tag = LineMemory.tag(hash)
    val home = ((hash & 0xffffffffL) * slots) >>> 32
    var place = home
    var left = slots
    var found = 0L
    while (left > 0) {
      val word = Memory.longAcquire(index + 64 + 8 * place)
      if ((word >>> 52) == tag) {
        val record = recordOf(index, place, word, version)
        if (record != 0 && isKey(region + 8 * record, key, length)) found = region + 8 * record
      }
      if (word == 0 || found != 0) left = 0
      else {
        left -= 1
        place = LineMemory.after(place, home, slots)
      }
    }
    val live = unlessDeleted(found)
    Reference.reachabilityFence(this)
    live
  }

  /** The number of slots of a shard. */
  def slots(shard: Int): Long = Memory.long(directory + 16L * shard + 8)

  /** The address of the record of a slot in a version that this object has; 0 if there is none. */
  def record(shard: Int, slot: Long, version: Int): Long = {
    val index = Memory.long(directory + 16L * shard)
    val word = Memory.longAcquire(index + 64 + 8 * slot)
    val record = if ((word >>> 52) == 0) 0L else recordOf(index, slot, word, version)
    val live = if (record == 0) 0L else unlessDeleted(region + 8 * record)
    Reference.reachabilityFence(this)
    live
  }

  /** The record, in units of 8 bytes, that a version has in a slot whose word is that of a key; 0 if there is none. */
  private def recordOf(index: Long, place: Long, word: Long, version: Int): Long =
    if ((word >>> 41 & 0x7ff) <= version) word & LineMemory.Address
    else if ((word >>> 40 & 1) != 0) older(index, place, version)
    else 0L

  private def unlessDeleted(address: Long): Long =
    if (address != 0 && (Memory.short(address + 6) & 0xffff) == RowLayout.Deleted) 0L else address

  /** The last of the slot's older records that is not later than `version`. */
  private def older(index: Long, place: Long, version: Int): Long = {
    val where = Memory.longAcquire(index + 8)
    val side = index + 64 * (where >>> 32)
    val groups = where & 0xffffffffL
    var group = (((place.toInt * 0x9e3779b1) & 0xffffffffL) * groups) >>> 32
    var left = groups
    var found = 0L
    while (left > 0) {
      val base = side + 64 * group
      var at = 0
      while (at < LineMemory.SideRecords) {
        val numbers = Memory.longAcquire(base + 8L * (at >> 1))
        val number = if ((at & 1) == 0) numbers & 0xffffffffL else numbers >>> 32
        if (number == 0) {
          at = LineMemory.SideRecords
          left = 1
        } else {
          if (number == place + 1) {
            val word = Memory.long(base + 24 + 8L * at)
            if ((word >>> 41 & 0x7ff) <= version) found = word & LineMemory.Address
          }
          at += 1
        }
      }
      left -= 1
      group = if (group + 1 == groups) 0 else group + 1
    }
    found
  }

  private def isKey(record: Long, key: Array[Byte], length: Int): Boolean =
    (Memory.short(record + 4) & 0xffff) == length && {
      var at = 0
      while (at < length && Memory.long(record + RowLayout.Frame + at) == Memory.long(key, at)) at += 8
      at >= length
    }
}

private[andiron] object LineMemory {
  private final val Address = (1L << 40) - 1

  /** Records in a group of a side table. */
  private final val SideRecords = 5

  /** The slot to look at after `place`: round the group from the key's own place on, then in the next group. */
  private def after(place: Long, home: Long, slots: Long): Long = {
    val next = (place & ~7L) | ((place + 1) & 7L)
    if ((next & 7L) != (home & 7L)) next
    else {
      val group = (next & ~7L) + 8
      (if (group == slots) 0L else group) | (home & 7L)
    }
  }

  /** 12 bits of a hash, never 0. */
  def tag(hash: Long): Long = {
    val tag = hash >>> 40 & 0xfff
    if (tag == 0) 1L else tag
  }

  /** The memory of version `version` of the native line, which has it. */
  def open(line: Long, version: Int, shards: Int): LineMemory = {
    val out = new Array[Long](2)
    val handle = NativeTable.openLineView(line, version, out)
    val memory = new LineMemory(out(0), out(1), Integer.numberOfTrailingZeros(shards))
    Views.cleaner.register(memory, new Close(handle))
    memory
  }

  private final class Close(handle: Long) extends Runnable {
    override def run(): Unit = NativeTable.closeTable(handle)
  }
}
