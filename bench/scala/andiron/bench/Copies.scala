package andiron.bench

import java.nio.ByteBuffer
import java.nio.file.{Path, Paths}
import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.atomic.{AtomicInteger, AtomicLong}

import org.apache.spark.TaskContext

/** Where versions are loaded from, and how long a load takes at least: a sleep that stands for the talk's minute. */
final case class Source(folder: String, sleepMillis: Long) {

  def file(version: String): Path = Paths.get(folder, s"$version.bin")

  /** Runs a load, counted in this executor. */
  def load[P](version: String)(read: Path => P): P = {
    val started = System.nanoTime()
    if (sleepMillis > 0) Thread.sleep(sleepMillis)
    val loaded = read(file(version))
    Copies.loads.incrementAndGet()
    Copies.loadNanos.addAndGet(System.nanoTime() - started)
    loaded
  }
}

/**
 * The versions, or copies of them, that the rivals hold in this executor; Andiron counts for itself. `most_in_use` is of every
 * approach: how many different versions its tasks were at, at once.
 */
object Copies {
  val loads = new AtomicLong
  val loadNanos = new AtomicLong
  private val versions = new AtomicInteger
  private val bytes = new AtomicLong
  private val mostVersions = new AtomicInteger
  private val mostBytes = new AtomicLong
  private val inUse = new ConcurrentHashMap[Long, String]
  private val mostInUse = new AtomicInteger

  /** The running task goes on to `version`. */
  def uses(version: String): Unit = {
    val context = TaskContext.get()
    val before = inUse.get(context.taskAttemptId())
    if (before != version) {
      if (before == null) context.addTaskCompletionListener[Unit](ended => inUse.remove(ended.taskAttemptId()): Unit)
      inUse.put(context.taskAttemptId(), version)
      mostInUse.accumulateAndGet(new java.util.HashSet(inUse.values()).size, (a, b) => math.max(a, b)): Unit
    }
  }

  /** `count` copies with `size` bytes in all are held from now on; negative: no longer. */
  def held(count: Int, size: Long): Unit = {
    val now = versions.addAndGet(count)
    mostVersions.accumulateAndGet(now, (a, b) => math.max(a, b))
    val total = bytes.addAndGet(size)
    mostBytes.accumulateAndGet(total, (a, b) => math.max(a, b)): Unit
  }

  def figures: Map[String, Long] = Map(
    "loads" -> loads.get, "load_nanos" -> loadNanos.get, "most_in_use" -> mostInUse.get.toLong,
    "most_versions" -> mostVersions.get.toLong, "most_bytes" -> mostBytes.get)

  def reset(): Unit = {
    loads.set(0)
    loadNanos.set(0)
    mostInUse.set(0)
    mostVersions.set(versions.get)
    mostBytes.set(bytes.get)
  }
}

/** What a task has of the metadata. For one thread. */
trait Holder {
  def pages(version: String): Pages
}

/** Approach 1 as people write it: the task's own copy on the heap; the one before is left to the collector. */
final class HeapCopy(source: Source) extends Holder {
  private var name = ""
  private var copy: HeapPages = _
  TaskContext.get().addTaskCompletionListener[Unit](_ => drop())

  def pages(version: String): Pages = {
    if (version != name) {
      drop()
      copy = source.load(version)(HeapPages.read)
      Copies.held(1, copy.bytes)
      name = version
    }
    copy
  }

  private def drop(): Unit = if (copy != null) {
    Copies.held(-1, -copy.bytes)
    copy = null
    name = ""
  }
}

/**
 * Approach 1 at its best: the task's own copy off the heap, read over the one before and given back when the task ends, so that
 * nothing is held that the task does not use.
 */
final class DirectCopy(source: Source) extends Holder {
  private var name = ""
  private var buffer: ByteBuffer = _
  private var copy: Pages = _
  TaskContext.get().addTaskCompletionListener[Unit](_ => drop())

  def pages(version: String): Pages = {
    if (version != name) {
      copy = source.load(version) { file =>
        fit(Math.toIntExact(file.toFile.length))
        BufferPages.fill(buffer, file)
      }
      name = version
    }
    copy
  }

  private def fit(size: Int): Unit = if (buffer == null || buffer.capacity < size) {
    drop()
    buffer = ByteBuffer.allocateDirect(size)
    Copies.held(1, size.toLong)
  }

  private def drop(): Unit = if (buffer != null) {
    Copies.held(-1, -buffer.capacity.toLong)
    DirectCopy.free(buffer)
    buffer = null
    copy = null
    name = ""
  }
}

private object DirectCopy {
  private lazy val unsafe = {
    val field = Class.forName("sun.misc.Unsafe").getDeclaredField("theUnsafe")
    field.setAccessible(true)
    field.get(null)
  }

  /** Gives the memory back now; the buffer must not be used again. */
  def free(buffer: ByteBuffer): Unit =
    unsafe.getClass.getMethod("invokeCleaner", classOf[ByteBuffer]).invoke(unsafe, buffer): Unit
}
