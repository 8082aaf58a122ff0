package andiron.internal.table

import andiron.internal.cache.Memory

/** Bytes on the heap that grow, with little-endian numbers at any place. New bytes are zero. One thread at a time. */
private[andiron] final class RecordBuffer {
  private var all = new Array[Byte](1024)
  private var used = 0

  def length: Int = used

  /** The bytes; only the first `length` are used. The next change may replace the array. */
  def array: Array[Byte] = all

  def clear(): Unit = used = 0

  /** Appends zeros up to the length `end`. */
  def extendTo(end: Int): Unit = {
    if (end > all.length) {
      if (end < 0) throw new OutOfMemoryError("a record has more bytes than an array")
      all = java.util.Arrays.copyOf(all, math.max(end, if (all.length > (1 << 29)) Int.MaxValue - 8 else all.length * 2))
    }
    java.util.Arrays.fill(all, used, end, 0: Byte)
    used = end
  }

  def putByte(at: Int, value: Int): Unit = all(at) = value.toByte

  def putShort(at: Int, value: Int): Unit = Memory.putShort(all, at, value.toShort)

  def putInt(at: Int, value: Int): Unit = Memory.putInt(all, at, value)

  def putLong(at: Int, value: Long): Unit = Memory.putLong(all, at, value)

  def setBit(at: Int, bit: Int): Unit = all(at + (bit >> 3)) = (all(at + (bit >> 3)) | 1 << (bit & 7)).toByte

  /** Appends `size` bytes of `base` from `offset` on, as Unsafe addresses them. */
  def append(base: AnyRef, offset: Long, size: Int): Unit = {
    val start = used
    extendTo(Math.addExact(used, size))
    Memory.copy(base, offset, all, start, size)
  }

  def append(bytes: Array[Byte]): Unit = {
    val start = used
    extendTo(Math.addExact(used, bytes.length))
    System.arraycopy(bytes, 0, all, start, bytes.length)
  }

  /** Appends zeros up to a multiple of 8 after `start`. */
  def pad(start: Int): Unit = extendTo(start + RowLayout.padded(used - start))

  def toArray: Array[Byte] = java.util.Arrays.copyOf(all, used)
}
