package org.apache.spark.andironshim

import scala.collection.mutable
import scala.util.control.NonFatal

import org.apache.spark.scheduler.AccumulableInfo
import org.apache.spark.sql.execution.metric.SQLMetric
import org.apache.spark.util.{AccumulatorContext, AccumulatorV2, DoubleAccumulator, LongAccumulator}

/**
 * The program's named accumulators, in their state on the driver. One thread.
 *
 * @param announce called for each with its id, name and kind: in the order of creation, before its first update is
 *   passed on. Called again when the kind of a user-defined accumulator becomes known
 */
private[spark] final class NamedAccumulators(announce: (Long, String, Int) => Unit) {
  // Accumulators of earlier applications in this process have smaller ids.
  private var next = AccumulatorContext.newId() + 1
  private val announced = mutable.LongMap.empty[Integer]
  private val updated = mutable.LongMap.empty[Integer]

  /** Announces the accumulators created since the last call that still exist. */
  def look(): Unit = {
    val end = AccumulatorContext.newId()
    while (next < end) {
      val id = next
      next += 1
      AccumulatorContext.get(id).foreach { made =>
        val name = made.name.getOrElse("")
        val isOfProgram = name.nonEmpty && !name.startsWith(NamedAccumulators.Internal) && !made.isInstanceOf[SQLMetric]
        if (isOfProgram) tell(id, name, NamedAccumulators.kindOf(made))
      }
    }
  }

  /** The kind of a named accumulator that a task has updated. */
  def kind(info: AccumulableInfo): Int = {
    val known = updated.getOrElse(info.id, null)
    if (known != null) known else first(info)
  }

  private def first(info: AccumulableInfo): Int = {
    look()
    val made = announced.getOrElse(info.id, null)
    val bySort = if (made != null) made.intValue else AccumulatorContext.get(info.id).fold(NamedAccumulators.Other)(NamedAccumulators.kindOf)
    val kind = if (bySort != NamedAccumulators.Other) bySort else NamedAccumulators.kindOfValue(info.value.orElse(info.update).orNull)
    if (made == null || made != kind) tell(info.id, info.name.get, kind)
    updated.put(info.id, kind)
    kind
  }

  private def tell(id: Long, name: String, kind: Int): Unit = {
    announced.put(id, kind)
    announce(id, name, kind)
  }

  /** Current driver values, longs and doubles, of the accumulators that tasks have updated and that still exist. */
  def values(): Seq[(Long, Any)] =
    updated.keysIterator.flatMap(id => AccumulatorContext.get(id).flatMap(made => NamedAccumulators.number(valueOf(made))).map(id -> _)).toVector

  // A user-defined accumulator may throw.
  private def valueOf(made: AccumulatorV2[_, _]): Any =
    try made.value
    catch { case NonFatal(_) => null }
}

private[spark] object NamedAccumulators {
  final val LongSum = 0
  final val DoubleSum = 1
  final val Other = 2
  final val MergedLong = 3
  final val MergedDouble = 4
  val Internal = "internal.metrics."

  /** A subclass may merge in another way, so only the exact classes have a known kind. */
  private def kindOf(made: AccumulatorV2[_, _]): Int =
    if (made.getClass eq classOf[LongAccumulator]) LongSum
    else if (made.getClass eq classOf[DoubleAccumulator]) DoubleSum
    else Other

  private def kindOfValue(value: Any): Int = number(value) match {
    case Some(_: Long)   => MergedLong
    case Some(_: Double) => MergedDouble
    case _               => Other
  }

  /** A number as a long or a double; None for other values. */
  def number(value: Any): Option[Any] = value match {
    case n: Long   => Some(n)
    case n: Int    => Some(n.toLong)
    case n: Short  => Some(n.toLong)
    case n: Byte   => Some(n.toLong)
    case n: Double => Some(n)
    case n: Float  => Some(n.toDouble)
    case _         => None
  }
}
