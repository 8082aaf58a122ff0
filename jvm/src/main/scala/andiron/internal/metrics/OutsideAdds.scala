package andiron.internal.metrics

import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.atomic.AtomicLong

/**
 * Counts this process's additions to step counters outside the step's functions. Such additions belong to no row and
 * are not counted, and the step's figures must report them. They are sent with the next cells of the step, with the
 * executor's reports, or by the driver itself.
 */
private[andiron] object OutsideAdds {
  private val Tag = "andiron outside"
  private val MostSteps = 4096
  private val adds = new ConcurrentHashMap[java.lang.Long, AtomicLong]

  def note(step: Long): Unit = {
    val known = adds.get(step)
    if (known != null) known.incrementAndGet(): Unit
    else if (adds.size < MostSteps) adds.computeIfAbsent(step, _ => new AtomicLong).incrementAndGet(): Unit
  }

  /** The additions for a step since the last call. */
  def take(step: Long): Long = {
    val known = adds.get(step)
    if (known == null) 0L else known.getAndSet(0)
  }

  def takeAll(tell: (Long, Long) => Unit): Unit = adds.forEach { (step, _) =>
    val n = take(step)
    if (n > 0) tell(step, n)
  }

  /** The additions for all steps, in JDK types only, as in reports; None if there are none. */
  def message(): Option[Array[AnyRef]] = {
    var all = Vector.empty[(Long, Long)]
    takeAll((step, n) => all :+= step -> n)
    if (all.isEmpty) None else Some(Array(Tag, all.map(_._1).toArray, all.map(_._2).toArray))
  }

  /** The steps and additions in a message; None for any other message. */
  def of(message: Any): Option[Seq[(Long, Long)]] = message match {
    case Array(Tag, steps: Array[Long], additions: Array[Long]) => Some(steps.toSeq.zip(additions))
    case _                                                      => None
  }
}
