package andiron.internal.cache

import scala.collection.immutable.ListMap

import andiron.ExecutorCacheStats
import andiron.internal.boundary.{Native, NativeLibrary}

/** Figures of the native library by name. native/src/cache/stats.rs defines their names and units. */
private[andiron] object CacheStats {

  /**
   * Name and kind (`gauge`, `maximum` or `counter`) of each native figure, in the library's order. Loads the library.
   */
  private lazy val known: IndexedSeq[(String, String)] = {
    NativeLibrary.load()
    Native.statNames().split('\n').toIndexedSeq.filter(_.nonEmpty).zip(Native.statKinds().split('\n'))
  }

  /** Names of the native figures, in the library's order. Loads the library. */
  lazy val names: IndexedSeq[String] = known.map(_._1)

  private lazy val kinds: Map[String, String] = known.toMap ++ Map("accountedBytes" -> "gauge", "loaderThreads" -> "gauge")

  /**
   * Combines the figures of several processes: counters are summed, gauges are summed over processes that are not
   * final, and maximums give the greatest value.
   */
  def total(of: Seq[ExecutorCacheStats]): ListMap[String, Long] = {
    val all = of.flatMap(_.figures.keys).distinct
    val order = names.filter(all.contains) ++ all.filterNot(names.contains).sorted
    ListMap(order.map { name =>
      name -> (kinds.getOrElse(name, "counter") match {
        case "gauge"   => of.filterNot(_.isFinal).map(_(name)).sum
        case "maximum" => of.map(_(name)).max
        case _         => of.map(_(name)).sum
      })
    }: _*)
  }

  /** Current figures; empty if no application uses the cache in this process. */
  def snapshot(): ListMap[String, Long] = ExecutorCache.currentIfAny match {
    case None => ListMap.empty
    case Some(cache) =>
      val values = new Array[Long](names.length)
      val filled = Native.stats(values)
      ListMap((names.zip(values).take(filled) ++ cache.figures): _*)
  }

  /**
   * Value of one figure, at most 100 ms old, so that a metrics reporter that reads all of them takes one snapshot. 0
   * for an unknown name.
   */
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
