package andiron.demo

import java.nio.ByteBuffer
import java.nio.channels.FileChannel
import java.nio.file.{Paths, StandardOpenOption}
import java.util.concurrent.atomic.{AtomicInteger, AtomicLong}

import org.apache.spark.TaskContext

/**
 * What a task of the closure approaches holds: its own copy, off the heap, of the version that it last asked for.
 *
 * The rival at its best: the next version is read into the memory of the one before, and the memory is given back when
 * the task completes, so that nothing is held which the task does not use. For one thread.
 */
final class OwnCopy(folder: String, tally: Tally) {
  private var name = ""
  private var metadata: Metadata = _
  private var buffer: ByteBuffer = _

  TaskContext.get().addTaskCompletionListener[Unit](_ => release())

  def of(version: String): Metadata = {
    if (version != name) load(version)
    metadata
  }

  private def load(version: String): Unit = {
    val channel = FileChannel.open(Paths.get(folder, s"$version.bin"), StandardOpenOption.READ)
    try {
      val length = Math.toIntExact(channel.size())
      if (buffer == null || buffer.capacity < length) {
        release()
        buffer = ByteBuffer.allocateDirect(length)
        OwnCopy.added(length.toLong)
      }
      buffer.clear().limit(length)
      while (buffer.hasRemaining) if (channel.read(buffer) < 0) throw new java.io.EOFException(s"$folder/$version.bin")
      buffer.flip()
      metadata = new VersionFile(new BufferWords(buffer))
      name = version
    } finally channel.close()
    tally.loads.add(1L)
    tally.copies.add(OwnCopy.mostCopies.get.toLong)
    tally.bytes.add(OwnCopy.mostBytes.get)
  }

  private def release(): Unit = if (buffer != null) {
    OwnCopy.added(-buffer.capacity.toLong)
    OwnCopy.free(buffer)
    buffer = null
    metadata = null
    name = ""
  }
}

/** The copies of this executor. */
private object OwnCopy {
  private val copies = new AtomicInteger
  private val bytes = new AtomicLong
  val mostCopies = new AtomicInteger
  val mostBytes = new AtomicLong

  private lazy val unsafe = {
    val field = Class.forName("sun.misc.Unsafe").getDeclaredField("theUnsafe")
    field.setAccessible(true)
    field.get(null)
  }

  private def added(length: Long): Unit = {
    val now = copies.addAndGet(java.lang.Long.signum(length))
    mostCopies.accumulateAndGet(now, (a, b) => math.max(a, b))
    val total = bytes.addAndGet(length)
    mostBytes.accumulateAndGet(total, (a, b) => math.max(a, b))
    ()
  }

  /** Gives the memory back now; the buffer must not be used again. */
  private def free(buffer: ByteBuffer): Unit = {
    unsafe.getClass.getMethod("invokeCleaner", classOf[ByteBuffer]).invoke(unsafe, buffer)
    ()
  }
}
