package andiron.internal.cache

import java.nio.ByteOrder

import sun.misc.Unsafe

/**
 * Unchecked memory reads. The caller checks bounds and keeps the memory reachable. Numbers are little-endian on every
 * machine.
 */
private[andiron] object Memory {
  private val unsafe: Unsafe = {
    val field = classOf[Unsafe].getDeclaredField("theUnsafe")
    field.setAccessible(true)
    field.get(null).asInstanceOf[Unsafe]
  }
  private val isLittleEndian = ByteOrder.nativeOrder() == ByteOrder.LITTLE_ENDIAN
  private val arrayBase = Unsafe.ARRAY_BYTE_BASE_OFFSET.toLong

  /**
   * Size of one copyMemory call, in bytes. The VM cannot stop threads during such a call, so longer copies are split.
   */
  private val Piece = 1L << 20

  def byte(address: Long): Byte = unsafe.getByte(address)

  def short(address: Long): Short = {
    val raw = unsafe.getShort(address)
    if (isLittleEndian) raw else java.lang.Short.reverseBytes(raw)
  }

  def int(address: Long): Int = {
    val raw = unsafe.getInt(address)
    if (isLittleEndian) raw else Integer.reverseBytes(raw)
  }

  def long(address: Long): Long = {
    val raw = unsafe.getLong(address)
    if (isLittleEndian) raw else java.lang.Long.reverseBytes(raw)
  }

  /** As `long`; later reads see at least the memory that the writer of this value saw. */
  def longAcquire(address: Long): Long = {
    val raw = unsafe.getLongVolatile(null, address)
    if (isLittleEndian) raw else java.lang.Long.reverseBytes(raw)
  }

  def long(array: Array[Byte], at: Int): Long = {
    val raw = unsafe.getLong(array, arrayBase + at)
    if (isLittleEndian) raw else java.lang.Long.reverseBytes(raw)
  }

  def putShort(array: Array[Byte], at: Int, value: Short): Unit =
    unsafe.putShort(array, place(array, at, 2), if (isLittleEndian) value else java.lang.Short.reverseBytes(value))

  def putInt(array: Array[Byte], at: Int, value: Int): Unit =
    unsafe.putInt(array, place(array, at, 4), if (isLittleEndian) value else Integer.reverseBytes(value))

  def putLong(array: Array[Byte], at: Int, value: Long): Unit =
    unsafe.putLong(array, place(array, at, 8), if (isLittleEndian) value else java.lang.Long.reverseBytes(value))

  private def place(array: Array[Byte], at: Int, bytes: Int): Long = arrayBase + java.util.Objects.checkFromIndexSize(at, bytes, array.length)

  def copy(address: Long, target: Array[Byte], offset: Int, length: Int): Unit = copy(null, address, target, offset, length)

  /** Copies from `base`, null for memory off the heap. */
  def copy(base: AnyRef, address: Long, target: Array[Byte], offset: Int, length: Int): Unit = {
    java.util.Objects.checkFromIndexSize(offset, length, target.length)
    var done = 0L
    while (done < length) {
      val piece = math.min(Piece, length - done)
      unsafe.copyMemory(base, address + done, target, arrayBase + offset + done, piece)
      done += piece
    }
  }
}
