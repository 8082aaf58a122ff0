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
    val shard = Memory.long(directory + 8L * TableDescription.shard(hash, bits))
    val slots = Memory.long(shard)
    val tag = LineMemory.tag(hash)
    var place = ((hash & 0xffffffffL) * slots) >>> 32
    val first = place
    var found = 0L
    var word = Memory.longAcquire(shard + 64 + 8 * place)
    while (found == 0 && word != 0) {
      if ((word >>> 52) == tag) {
        val record =
          if ((word >>> 41 & 0x7ff) <= version) word & LineMemory.Address
          else if ((word >>> 40 & 1) != 0) older(shard, place, version)
          else 0L
        if (record != 0 && isKey(region + 8 * record, key, length)) found = region + 8 * record
      }
      if (found == 0) {
        place = if (place + 1 == slots) 0 else place + 1
        word = if (place == first) 0 else Memory.longAcquire(shard + 64 + 8 * place)
      }
    }
    val live = if (found != 0 && (Memory.short(found + 6) & 0xffff) == RowLayout.Deleted) 0L else found
    Reference.reachabilityFence(this)
    live
  }

  /** The number of slots of a shard. */
  def slots(shard: Int): Long = Memory.long(Memory.long(directory + 8L * shard))

  /** The address of the record of a slot in a version that this object has; 0 if there is none. */
  def record(shard: Int, slot: Long, version: Int): Long = {
    val start = Memory.long(directory + 8L * shard)
    val word = Memory.longAcquire(start + 64 + 8 * slot)
    val record =
      if ((word >>> 52) == 0) 0L
      else if ((word >>> 41 & 0x7ff) <= version) word & LineMemory.Address
      else if ((word >>> 40 & 1) != 0) older(start, slot, version)
      else 0L
    val address = if (record == 0) 0L else region + 8 * record
    val live = if (address != 0 && (Memory.short(address + 6) & 0xffff) == RowLayout.Deleted) 0L else address
    Reference.reachabilityFence(this)
    live
  }

  /** The newest record of the slot's key that is not later than `version`. */
  private def older(shard: Long, place: Long, version: Int): Long = {
    val where = Memory.longAcquire(shard + 8)
    if (where == 0) 0L
    else {
      val side = shard + 8 * (where >>> 8)
      val bits = (where & 255).toInt
      val mask = (1 << bits) - 1
      var at = if (bits == 0) 0 else (place.toInt * 0x9e3779b1) >>> (32 - bits)
      var entry = Memory.longAcquire(side + 8L * at)
      while (entry != 0 && (entry >>> 32) != place + 1) {
        at = (at + 1) & mask
        entry = Memory.longAcquire(side + 8L * at)
      }
      val chains = shard + 8 * Memory.long(shard + 16)
      var link = entry & 0xffffffffL
      var found = 0L
      while (found == 0 && link != 0) {
        val word = Memory.longAcquire(chains + 16 * (link - 1))
        if ((word >>> 41 & 0x7ff) <= version) found = word & LineMemory.Address
        else link = Memory.longAcquire(chains + 16 * (link - 1) + 8)
      }
      found
    }
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
