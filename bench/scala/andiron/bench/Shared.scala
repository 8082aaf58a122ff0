package andiron.bench

import java.util.concurrent.ConcurrentHashMap

import scala.collection.mutable

import com.github.benmanes.caffeine.cache.{Cache, Caffeine}
import org.apache.spark.TaskContext

import andiron.harness.Copies

/** The state that the tasks of one executor share without Andiron. */
object Shared {
  private val all = new ConcurrentHashMap[String, HeapPages]
  private val mapped = new ConcurrentHashMap[String, Pages]
  private var stage: (String, HeapPages) = ("", null)
  @volatile private var bounded: Cache[String, HeapPages] = _
  private val inUse = mutable.Map.empty[HeapPages, Int]
  private var counted = (0, 0L)

  /** A plain singleton: a version is loaded once and never released. */
  def singleton(source: Source, version: String): Pages = all.computeIfAbsent(version, name => {
    val loaded = source.load(name)(HeapPages.read)
    Copies.held(1, loaded.bytes)
    loaded
  })

  /** The oracle: every version, mapped and touched before the job. */
  def resident(source: Source, version: String): Pages = mapped.computeIfAbsent(version, name => {
    val file = source.file(name)
    Copies.held(1, file.toFile.length)
    BufferPages.map(file)
  })

  /** The version of the running stage; it replaces the version of the stage before. */
  def ofStage(source: Source, version: String): Pages = synchronized {
    if (stage._1 != version) {
      endStage()
      stage = (version, source.load(version)(HeapPages.read))
      Copies.held(1, stage._2.bytes)
    }
    stage._2
  }

  def endStage(): Unit = synchronized {
    if (stage._2 != null) Copies.held(-1, -stage._2.bytes)
    stage = ("", null)
  }

  /** A Caffeine cache with a limit in bytes. It evicts by its own policy; a task that still uses an evicted version keeps it in memory. */
  def caffeine(source: Source, limit: Long, version: String): HeapPages =
    cache(limit).get(version, (name: String) => source.load(name)(HeapPages.read))

  private def cache(limit: Long): Cache[String, HeapPages] = synchronized {
    if (bounded == null)
      bounded = Caffeine.newBuilder().maximumWeight(limit / 1024).executor((task: Runnable) => task.run())
        .weigher[String, HeapPages]((_: String, pages: HeapPages) => (pages.bytes / 1024).toInt).build[String, HeapPages]()
    bounded
  }

  /** Records that a task moves from one version of the cache to another, and counts all versions that cache and tasks now hold. */
  def moves(from: HeapPages, to: HeapPages): Unit = synchronized {
    if (from != null) if (inUse(from) == 1) inUse -= from else inUse(from) -= 1
    if (to != null) inUse(to) = inUse.getOrElse(to, 0) + 1
    val held = java.util.Collections.newSetFromMap(new java.util.IdentityHashMap[HeapPages, java.lang.Boolean])
    held.addAll(bounded.asMap().values())
    inUse.keys.foreach(held.add)
    var bytes = 0L
    held.forEach(pages => bytes += pages.bytes)
    Copies.held(held.size - counted._1, bytes - counted._2)
    counted = (held.size, bytes)
  }
}

/** A task's access to the Caffeine cache. */
final class FromCaffeine(source: Source, limit: Long) extends Holder {
  private var name = ""
  private var current: HeapPages = _
  TaskContext.get().addTaskCompletionListener[Unit](_ => move("", null))

  def pages(version: String): Pages = {
    if (version != name) move(version, Shared.caffeine(source, limit, version))
    current
  }

  private def move(version: String, to: HeapPages): Unit = {
    Shared.moves(current, to)
    current = to
    name = version
  }
}
