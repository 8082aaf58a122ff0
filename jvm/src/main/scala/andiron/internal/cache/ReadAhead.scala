package andiron.internal.cache

import java.io.InputStream
import java.security.PrivilegedAction
import java.util.concurrent.ArrayBlockingQueue

import org.apache.hadoop.security.UserGroupInformation

import andiron.internal.util.DaemonThread

/**
 * Chunks of a stream. A separate thread reads ahead, with the caller's user and class loader, while the caller writes
 * earlier chunks. One thread calls `next` and `close`; it must call `close`, which also closes the stream.
 */
private[andiron] final class ReadAhead(in: InputStream, chunkBytes: Int) extends AutoCloseable {
  private val free = new ArrayBlockingQueue[Array[Byte]](ReadAhead.Ahead)
  private val ready = new ArrayBlockingQueue[ReadAhead.Chunk](ReadAhead.Ahead)
  private var current: ReadAhead.Chunk = _
  private var reader: Thread = _

  /** The next chunk, valid until the next call; None at the end. Rethrows read errors. */
  def next(): Option[ReadAhead.Chunk] = {
    if (current == null) current = read(new Array[Byte](chunkBytes))
    else if (current.isLast) current = ReadAhead.End
    else {
      if (reader == null) begin() else free.put(current.bytes)
      current = ready.take()
    }
    if (current.error != null) throw current.error
    if (current.length == 0) None else Some(current)
  }

  private def begin(): Unit = {
    free.put(current.bytes)
    while (free.remainingCapacity > 0) free.put(new Array[Byte](chunkBytes))
    val user = UserGroupInformation.getCurrentUser
    reader = DaemonThread(s"${Thread.currentThread().getName}-read", () => user.doAs(new PrivilegedAction[Unit] {
      override def run(): Unit = readAll()
    }))
    reader.setContextClassLoader(Thread.currentThread().getContextClassLoader)
    reader.start()
  }

  private def readAll(): Unit =
    try {
      var isLast = false
      while (!isLast) {
        val chunk = read(free.take())
        isLast = chunk.isLast
        ready.put(chunk)
      }
    } catch {
      case _: InterruptedException => // closed by the caller
    }

  /** Fills the buffer, as a stream may return less than requested before its end. An error becomes the last chunk. */
  private def read(buffer: Array[Byte]): ReadAhead.Chunk =
    try {
      var filled = 0
      var n = 0
      while (filled < buffer.length && n >= 0) {
        n = in.read(buffer, filled, math.min(ReadAhead.PieceBytes, buffer.length - filled))
        if (n > 0) filled += n
      }
      new ReadAhead.Chunk(buffer, filled, n < 0, null)
    } catch { case t: Throwable => new ReadAhead.Chunk(buffer, 0, true, t) }

  override def close(): Unit = {
    if (reader != null) reader.interrupt()
    in.close()
  }
}

private[andiron] object ReadAhead {

  /** Number of chunks read ahead of writing. */
  private val Ahead = 3

  /**
   * Bytes per read call. Java allocates a temporary buffer for each file read; larger ones are mapped and unmapped
   * every time, with new page faults.
   */
  private val PieceBytes = 64 << 10

  /** The first `length` bytes of `bytes`. No chunk follows the last one. */
  final class Chunk(val bytes: Array[Byte], val length: Int, val isLast: Boolean, private[ReadAhead] val error: Throwable)

  private val End = new Chunk(Array.emptyByteArray, 0, true, null)
}
