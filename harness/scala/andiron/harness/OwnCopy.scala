package andiron.harness

import java.io.EOFException
import java.nio.ByteBuffer
import java.nio.channels.FileChannel
import java.nio.file.{Path, StandardOpenOption}
import java.util.concurrent.atomic.{AtomicInteger, AtomicLong}

import org.apache.spark.TaskContext

/**
 * A task's own copy of a file, off the heap: the closure at its best. The next file reuses the memory of the file before, and the memory is
 * freed when the task completes, so that the task holds only memory that it uses. For one thread.
 */
final class OwnCopy {
  private var buffer: ByteBuffer = _
  TaskContext.get().addTaskCompletionListener[Unit](_ => release())

  /** The content of the file; valid until the next call. */
  def read(file: Path): ByteBuffer = {
    val channel = FileChannel.open(file, StandardOpenOption.READ)
    try {
      val length = Math.toIntExact(channel.size())
      if (buffer == null || buffer.capacity < length) {
        release()
        buffer = ByteBuffer.allocateDirect(length)
        Copies.held(1, length.toLong)
      }
      buffer.clear().limit(length)
      while (buffer.hasRemaining) if (channel.read(buffer) < 0) throw new EOFException(file.toString)
      buffer.flip()
      buffer
    } finally channel.close()
  }

  private def release(): Unit = if (buffer != null) {
    Copies.held(-1, -buffer.capacity.toLong)
    OwnCopy.free(buffer)
    buffer = null
  }
}

private object OwnCopy {
  private lazy val unsafe = {
    val field = Class.forName("sun.misc.Unsafe").getDeclaredField("theUnsafe")
    field.setAccessible(true)
    field.get(null)
  }

  /** Frees the memory at once; the buffer must not be used afterwards. */
  private def free(buffer: ByteBuffer): Unit = unsafe.getClass.getMethod("invokeCleaner", classOf[ByteBuffer]).invoke(unsafe, buffer): Unit
}

/** The copies that this executor holds, and their maximum since `reset`. */
object Copies {
  private val count = new AtomicInteger
  private val bytes = new AtomicLong
  private val mostCount = new AtomicInteger
  private val mostBytes = new AtomicLong

  def most: Int = mostCount.get
  def mostInBytes: Long = mostBytes.get

  /** Adds `copies` with `size` bytes in all to the held copies; negative numbers remove them. */
  def held(copies: Int, size: Long): Unit = {
    mostCount.accumulateAndGet(count.addAndGet(copies), (a, b) => math.max(a, b))
    mostBytes.accumulateAndGet(bytes.addAndGet(size), (a, b) => math.max(a, b)): Unit
  }

  def reset(): Unit = {
    mostCount.set(count.get)
    mostBytes.set(bytes.get)
  }
}
