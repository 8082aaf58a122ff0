package andiron.internal.metrics

import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.atomic.AtomicLong

/**
 * How often this process has added to counters where no function of their step ran: what was added belongs to no row and is not counted, which the
 * step's figures shall say. Told with the next cells of the step, by the executor's reports, or by the driver itself.
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

  /** Those of a step that have not been taken yet. */
  def take(step: Long): Long = {
    val known = adds.get(step)
    if (known == null) 0L else known.getAndSet(0)
  }

  def takeAll(tell: (Long, Long) => Unit): Unit = adds.forEach { (step, _) =>
    val n = take(step)
    if (n > 0) tell(step, n)
  }

  /** Those of all steps in types of the JDK only, as an executor's report; None if there are none. */
  def message(): Option[Array[AnyRef]] = {
    var all = Vector.empty[(Long, Long)]
    takeAll((step, n) => all :+= step -> n)
    if (all.isEmpty) None else Some(Array(Tag, all.map(_._1).toArray, all.map(_._2).toArray))
  }

  /** The steps and additions of a message; None for any other message. */
  def of(message: Any): Option[Seq[(Long, Long)]] = message match {
    case Array(Tag, steps: Array[Long], additions: Array[Long]) => Some(steps.toSeq.zip(additions))
    case _                                                      => None
  }
}
