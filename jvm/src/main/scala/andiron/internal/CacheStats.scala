package andiron.internal

import scala.collection.immutable.ListMap

/** The library's figures by name. Their names and units are defined in native/src/cache/stats.rs. */
private[andiron] object CacheStats {

  /** In the library's order; loads the library. */
  lazy val names: IndexedSeq[String] = {
    NativeLibrary.load()
    Native.statNames().split('\n').toIndexedSeq.filter(_.nonEmpty)
  }

  /** The figures now; empty if no application uses the cache in this process. */
  def snapshot(): ListMap[String, Long] = ExecutorCache.currentIfAny match {
    case None => ListMap.empty
    case Some(cache) =>
      val values = new Array[Long](names.length)
      val filled = Native.stats(values)
      ListMap((names.zip(values).take(filled) ++ cache.figures): _*)
  }

  /** One figure, at most 100 ms old, so that a metrics reporter that reads them all takes one snapshot; 0 if there is none. */
  def recent(name: String): Long = {
    val known = last
    val fresh =
      if (System.nanoTime() - known.at < FreshNanos) known
      else {
        last = new Snapshot(System.nanoTime(), snapshot())
        last
      }
    fresh.figures.getOrElse(name, 0L)
  }

  private final class Snapshot(val at: Long, val figures: Map[String, Long])

  private val FreshNanos = 100000000L
  @volatile private var last = new Snapshot(System.nanoTime() - FreshNanos, Map.empty)
}
