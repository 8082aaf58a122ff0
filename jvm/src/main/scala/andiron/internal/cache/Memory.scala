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

  def copy(address: Long, target: Array[Byte], offset: Int, length: Int): Unit = {
    var done = 0L
    while (done < length) {
      val piece = math.min(Piece, length - done)
      unsafe.copyMemory(null, address + done, target, arrayBase + offset + done, piece)
      done += piece
    }
  }
}
