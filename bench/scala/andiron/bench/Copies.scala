package andiron.bench

import java.nio.file.{Path, Paths}
import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.atomic.{AtomicInteger, AtomicLong}

import org.apache.spark.TaskContext

import andiron.harness.{Copies, OwnCopy}

/** The folder of the versions, and the minimum time of a load: a sleep in place of the talk's minute. */
final case class Source(folder: String, sleepMillis: Long) {

  def file(version: String): Path = Paths.get(folder, s"$version.bin")

  /** Runs a load and counts it in this executor. */
  def load[P](version: String)(read: Path => P): P = {
    val started = System.nanoTime()
    if (sleepMillis > 0) Thread.sleep(sleepMillis)
    val loaded = read(file(version))
    Loads.count.incrementAndGet()
    Loads.nanos.addAndGet(System.nanoTime() - started)
    loaded
  }
}

/**
 * The loads of the rivals in this executor; Andiron has its own counts. `most_in_use`, for all approaches, is the maximum of different versions that the
 * tasks used at once.
 */
object Loads {
  val count = new AtomicLong
  val nanos = new AtomicLong
  private val inUse = new ConcurrentHashMap[Long, String]
  private val mostInUse = new AtomicInteger

  /** Records that the running task now uses `version`. */
  def uses(version: String): Unit = {
    val context = TaskContext.get()
    val before = inUse.get(context.taskAttemptId())
    if (before != version) {
      if (before == null) context.addTaskCompletionListener[Unit](ended => inUse.remove(ended.taskAttemptId()): Unit)
      inUse.put(context.taskAttemptId(), version)
      mostInUse.accumulateAndGet(new java.util.HashSet(inUse.values()).size, (a, b) => math.max(a, b)): Unit
    }
  }

  def figures: Map[String, Long] = Map(
    "loads" -> count.get, "load_nanos" -> nanos.get, "most_in_use" -> mostInUse.get.toLong, "most_versions" -> Copies.most.toLong,
    "most_bytes" -> Copies.mostInBytes)

  def reset(): Unit = {
    Seq(count, nanos).foreach(_.set(0))
    mostInUse.set(0)
    Copies.reset()
  }
}

/** A task's access to the metadata. For one thread. */
trait Holder {
  def pages(version: String): Pages
}

/** Approach 1 in its usual form: each task has its own copy on the heap, and the collector frees the copy before. */
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

/** Approach 1 at its best: [[OwnCopy]]. */
final class DirectCopy(source: Source) extends Holder {
  private var name = ""
  private var current: Pages = _
  private val copy = new OwnCopy

  def pages(version: String): Pages = {
    if (version != name) {
      current = source.load(version)(file => new BufferPages(copy.read(file)))
      name = version
    }
    current
  }
}
