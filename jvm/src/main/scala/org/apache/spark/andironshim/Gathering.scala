package org.apache.spark.andironshim

import java.util.concurrent.locks.LockSupport

import com.codahale.metrics.Gauge

import org.apache.spark.SparkContext
import org.apache.spark.scheduler.LiveListenerBus

/**
 * Lets the events of a listener's own queue gather: while the queue is empty its thread rests for a moment before it waits for the next
 * event. It then wakes once for many events, and Spark's scheduler, which posts them, seldom has to wake it. In the moment a queue of this
 * capacity fills to a half at most, at a million events a second; a small queue gets none.
 */
final class Gathering(capacity: Int, find: => Option[Gauge[_]]) {
  private val nanos = Gathering.nanos(capacity)
  private lazy val waiting: Option[Gauge[_]] = find

  /** Whether another event waits, as far as this Spark tells. */
  def more: Boolean = waiting.exists(_.getValue != 0)

  /** Rests; to be called when no event waits. Returns early when the thread is interrupted. */
  def rest(): Unit = if (nanos > 0 && waiting.isDefined) LockSupport.parkNanos(nanos)
}

object Gathering {
  private val MostNanos = 10000000L
  private val LeastCapacity = 2000

  def nanos(capacity: Int): Long = if (capacity < LeastCapacity) 0 else math.min(MostNanos, capacity * 500L)

  /** How many events wait in Andiron's queue; None if this Spark does not tell, or has put the listener into another one. */
  def waiting(context: SparkContext): Option[Gauge[_]] = waiting(context.listenerBus, MetricsInternals.Queue)

  private[andironshim] def waiting(bus: LiveListenerBus, queue: String): Option[Gauge[_]] =
    try Option(bus.metrics.metricRegistry.getGauges.get(s"queue.$queue.size"))
    catch { case _: LinkageError => None }
}
