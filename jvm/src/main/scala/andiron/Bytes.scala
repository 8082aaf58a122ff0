package andiron

import java.io.InputStream
import java.lang.ref.Reference
import java.nio.ByteBuffer

import com.esotericsoftware.kryo.DefaultSerializer

import andiron.internal.cache.{Hold, Memory, View}
import andiron.internal.util.{OfThisProcess, Refusal}

/**
 * Bytes of a version, off the Java heap, of any size, read in place. Immutable; any number of threads may read them.
 *
 * Offsets count from 0. Numbers are little-endian and need no alignment. Every call checks its bounds
 * (IndexOutOfBoundsException) and throws a ReleasedException once the lease is released: when its cursor has moved on
 * or was closed, or its task has ended. A thread that reads at that moment gets the old bytes or the exception, never
 * freed memory. A loop that only gets numbers may see the old bytes until it ends, since the VM may hoist the check;
 * calls that copy, slice, view or stream check every time. Bytes cannot leave their process: Java serialization and
 * Kryo reject them.
 */
@DefaultSerializer(classOf[Refusal])
final class Bytes private[andiron] (view: View, hold: Hold, from: Long, val size: Long) extends OfThisProcess {
  private val base = view.address + from

  def getByte(offset: Long): Byte = {
    check(offset, 1)
    val value = Memory.byte(base + offset)
    Reference.reachabilityFence(this)
    value
  }

  def getShort(offset: Long): Short = {
    check(offset, 2)
    val value = Memory.short(base + offset)
    Reference.reachabilityFence(this)
    value
  }

  def getInt(offset: Long): Int = {
    check(offset, 4)
    val value = Memory.int(base + offset)
    Reference.reachabilityFence(this)
    value
  }

  def getLong(offset: Long): Long = {
    check(offset, 8)
    val value = Memory.long(base + offset)
    Reference.reachabilityFence(this)
    value
  }

  def getFloat(offset: Long): Float = java.lang.Float.intBitsToFloat(getInt(offset))

  def getDouble(offset: Long): Double = java.lang.Double.longBitsToDouble(getLong(offset))

  /** Fills `target` with the bytes from `offset` on. */
  def copyTo(offset: Long, target: Array[Byte]): Unit = copyTo(offset, target, 0, target.length)

  /** Copies `length` bytes from `offset` on into `target`, beginning at index `start`. */
  def copyTo(offset: Long, target: Array[Byte], start: Int, length: Int): Unit = {
    if (start < 0 || length < 0 || start > target.length - length)
      throw new IndexOutOfBoundsException(s"$length bytes at $start of an array of ${target.length}")
    checkNow(offset, length.toLong)
    Memory.copy(base + offset, target, start, length)
    Reference.reachabilityFence(this)
  }

  /** A copy of `length` bytes from `offset` on, on the heap. */
  def toArray(offset: Long, length: Int): Array[Byte] = {
    checkNow(offset, length.toLong)
    val copy = new Array[Byte](length)
    copyTo(offset, copy)
    copy
  }

  /** A part of these bytes, released with them. */
  def slice(offset: Long, length: Long): Bytes = {
    checkNow(offset, length)
    new Bytes(view, hold, from + offset, length)
  }

  /**
   * A read-only view of a part, in big-endian order like every new ByteBuffer. The buffer is not affected by the
   * release: it shows the same bytes as long as it is reachable, though they no longer count against the budget. Do not
   * keep it beyond the lease.
   */
  def buffer(offset: Long, length: Int): ByteBuffer = {
    checkNow(offset, length.toLong)
    view.buffer(from + offset, length)
  }

  /** A stream over all of the bytes; it throws a ReleasedException after the release. */
  def inputStream(): InputStream = new BytesInputStream(this)

  private def checkNow(offset: Long, length: Long): Unit = {
    if (hold.isReleasedNow) hold.fail()
    check(offset, length)
  }

  private def check(offset: Long, length: Long): Unit = {
    if (hold.isReleased) hold.fail()
    if (offset < 0 || length < 0 || offset > size - length) outOfBounds(offset, length)
  }

  private def outOfBounds(offset: Long, length: Long): Nothing =
    throw new IndexOutOfBoundsException(s"$length bytes at $offset of $size")

  override def toString: String = s"Bytes($size)"
}

private final class BytesInputStream(bytes: Bytes) extends InputStream {
  private var position = 0L
  private var marked = 0L

  override def read(): Int =
    if (position >= bytes.size) -1
    else {
      val value = bytes.getByte(position) & 0xff
      position += 1
      value
    }

  override def read(target: Array[Byte], start: Int, length: Int): Int =
    if (length == 0) 0
    else if (position >= bytes.size) -1
    else {
      val n = math.min(length.toLong, bytes.size - position).toInt
      bytes.copyTo(position, target, start, n)
      position += n
      n
    }

  override def skip(n: Long): Long = {
    val skipped = math.max(0L, math.min(n, bytes.size - position))
    position += skipped
    skipped
  }

  override def available(): Int = math.min(bytes.size - position, Int.MaxValue.toLong).toInt

  override def markSupported: Boolean = true

  override def mark(limit: Int): Unit = marked = position

  override def reset(): Unit = position = marked
}
