package andiron.internal.cache

import java.io.{FilterInputStream, InputStream}
import java.security.MessageDigest
import java.util.zip.CRC32

import andiron.{AndironException, ErrorCode}

/** A stream that computes the checksum of the bytes read from it. For objects; the library verifies bytes itself. */
private[andiron] final class StreamChecksum private (in: InputStream, algorithm: String) extends FilterInputStream(in) {
  private val crc = new CRC32
  private val sha = MessageDigest.getInstance("SHA-256")

  override def read(): Int = {
    val one = new Array[Byte](1)
    if (read(one, 0, 1) < 0) -1 else one(0) & 0xff
  }

  override def read(buffer: Array[Byte], offset: Int, length: Int): Int = {
    val n = super.read(buffer, offset, length)
    if (n > 0) algorithm match {
      case "crc32" => crc.update(buffer, offset, n)
      case _       => sha.update(buffer, offset, n)
    }
    n
  }

  override def skip(n: Long): Long = {
    val scratch = new Array[Byte](math.min(n, 1L << 16).toInt)
    math.max(0, read(scratch, 0, scratch.length)).toLong
  }

  override def markSupported: Boolean = false

  /** Reads the rest of the stream and fails if the checksum differs from `declared`. */
  def verify(declared: String, label: String): Unit = {
    val scratch = new Array[Byte](1 << 16)
    while (read(scratch, 0, scratch.length) >= 0) {}
    val found = algorithm match {
      case "crc32" => f"${crc.getValue}%08x"
      case _       => sha.digest().map(b => f"$b%02x").mkString
    }
    if (!declared.substring(declared.indexOf(':') + 1).equalsIgnoreCase(found))
      throw AndironException.of(ErrorCode.ChecksumMismatch,
        s"$label has the checksum $algorithm:$found, but the catalog declares $declared: the source is damaged, or not the intended one", null)
  }
}

private[andiron] object StreamChecksum {

  def apply(in: InputStream, declared: String): StreamChecksum = new StreamChecksum(in, declared.takeWhile(_ != ':'))

  /** Fails unless this class can compute the checksum `declared`. */
  def check(declared: String, label: String): Unit =
    if (!declared.matches("crc32:[0-9a-fA-F]{8}|sha256:[0-9a-fA-F]{64}"))
      throw AndironException.of(ErrorCode.BadArgument,
        s"$label declares the checksum '$declared': objects can be verified by crc32:<8 digits> or sha256:<64 digits>, in hexadecimal", null)
}
