package org.apache.spark.andironshim

import java.util.concurrent.locks.LockSupport

import com.codahale.metrics.Gauge

import org.apache.spark.SparkContext
import org.apache.spark.scheduler.LiveListenerBus

/**
 * Batches the events of a listener's own queue: while the queue is empty, its thread pauses briefly before it waits for
 * the next event. The thread then wakes once for many events, and Spark's scheduler, which posts them, seldom has to
 * wake it. During the pause a queue of this capacity fills at most by half, at a million events a second; a small queue
 * has no pause.
 */
final class Gathering(capacity: Int, find: => Option[Gauge[_]]) {
  private val nanos = Gathering.nanos(capacity)
  private lazy val waiting: Option[Gauge[_]] = find

  /** Whether another event is waiting, if this Spark exposes that. */
  def more: Boolean = waiting.exists(_.getValue != 0)

  /** Pauses the thread; call it when no event is waiting. Returns early when the thread is interrupted. */
  def rest(): Unit = if (nanos > 0 && waiting.isDefined) LockSupport.parkNanos(nanos)
}

object Gathering {
  private val MostNanos = 10000000L
  private val LeastCapacity = 2000

  def nanos(capacity: Int): Long = if (capacity < LeastCapacity) 0 else math.min(MostNanos, capacity * 500L)

  /**
   * Gauge of the events waiting in Andiron's queue; None if this Spark does not expose it or uses another queue for the
   * listener.
   */
  def waiting(context: SparkContext): Option[Gauge[_]] = waiting(context.listenerBus, MetricsInternals.Queue)

  private[andironshim] def waiting(bus: LiveListenerBus, queue: String): Option[Gauge[_]] =
    try Option(bus.metrics.metricRegistry.getGauges.get(s"queue.$queue.size"))
    catch { case _: LinkageError => None }
}
