package andiron.bench

import java.io.{EOFException, InputStream}
import java.nio.{ByteBuffer, ByteOrder}
import java.nio.channels.FileChannel
import java.nio.file.{Files, Path, StandardOpenOption}

/** A readable version: little-endian words at byte offsets. Safe for concurrent reads. */
trait Pages {
  def long(offset: Long): Long
}

/** A version on the heap: arrays of 64 KiB, which no collector treats as large objects. */
final class HeapPages(chunks: Array[Array[Byte]]) extends Pages with Serializable {

  def long(offset: Long): Long = {
    val chunk = chunks((offset / HeapPages.ChunkBytes).toInt)
    ByteBuffer.wrap(chunk).order(ByteOrder.LITTLE_ENDIAN).getLong((offset % HeapPages.ChunkBytes).toInt)
  }

  /** The size of the arrays with their headers, without alignment. */
  def bytes: Long = chunks.foldLeft(16L + 4L * chunks.length)((sum, chunk) => sum + 16L + chunk.length)
}

object HeapPages {
  private val ChunkBytes = 1 << 16

  def read(in: InputStream, size: Long): HeapPages = {
    val chunks = Array.tabulate(((size + ChunkBytes - 1) / ChunkBytes).toInt) { i =>
      val chunk = new Array[Byte](math.min(ChunkBytes.toLong, size - i.toLong * ChunkBytes).toInt)
      if (in.readNBytes(chunk, 0, chunk.length) < chunk.length) throw new EOFException(s"fewer than $size bytes")
      chunk
    }
    new HeapPages(chunks)
  }

  def read(file: Path): HeapPages = {
    val in = Files.newInputStream(file)
    try read(in, Files.size(file))
    finally in.close()
  }
}

/** A version in a buffer off the heap. */
final class BufferPages(buffer: ByteBuffer) extends Pages {
  private val words = buffer.duplicate().order(ByteOrder.LITTLE_ENDIAN)

  def long(offset: Long): Long = words.getLong(Math.toIntExact(offset))
}

object BufferPages {

  /** Maps the file and touches its pages. */
  def map(file: Path): BufferPages = {
    val channel = FileChannel.open(file, StandardOpenOption.READ)
    try new BufferPages(channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size()).load())
    finally channel.close()
  }
}
