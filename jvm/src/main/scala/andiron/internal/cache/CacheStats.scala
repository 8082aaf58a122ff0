package andiron.internal.cache

import scala.collection.immutable.ListMap

import andiron.ExecutorCacheStats
import andiron.internal.boundary.{Native, NativeLibrary}

/** The library's figures by name. Their names and units are defined in native/src/cache/stats.rs. */
private[andiron] object CacheStats {

  /** Each figure of the library's with its kind, `gauge`, `maximum` or `counter`, in the library's order; loads the library. */
  private lazy val known: IndexedSeq[(String, String)] = {
    NativeLibrary.load()
    Native.statNames().split('\n').toIndexedSeq.filter(_.nonEmpty).zip(Native.statKinds().split('\n'))
  }

  /** In the library's order; loads the library. */
  lazy val names: IndexedSeq[String] = known.map(_._1)

  private lazy val kinds: Map[String, String] = known.toMap ++ Map("accountedBytes" -> "gauge", "loaderThreads" -> "gauge")

  /** The figures of several processes as one: gauges of those that live and counters are summed, of a maximum the greatest is taken. */
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
