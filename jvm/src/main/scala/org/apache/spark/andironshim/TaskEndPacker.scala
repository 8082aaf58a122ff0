package org.apache.spark.andironshim

import java.nio.{ByteBuffer, ByteOrder}

import org.apache.spark.{ExceptionFailure, FetchFailed, Resubmitted, Success, TaskEndReason, TaskKilled}
import org.apache.spark.executor.TaskMetrics
import org.apache.spark.scheduler.{AccumulableInfo, SparkListenerEvent, SparkListenerTaskEnd}

/**
 * Packs ends of tasks, in the layout of docs/internals/wire-format.md, one after another into a direct buffer that is
 * reused. One thread.
 *
 * @param named the accumulators; each is announced before its first update is packed
 */
private[spark] final class TaskEndPacker(named: NamedAccumulators) {
  private var bytes = allocate(4096)
  private var whole = 0

  /** The bytes packed since the last `clear`, beginning at index 0. */
  def buffer: ByteBuffer = bytes

  /** Number of packed bytes. */
  def length: Int = whole

  def clear(): Unit = {
    bytes.clear()
    whole = 0
  }

  /** Packs the event, unless it has no task. After an error, the buffer contains nothing of the event. */
  def pack(event: SparkListenerTaskEnd): Unit = {
    val info = event.taskInfo
    if (info != null) {
      bytes.position(whole)
      if (bytes.remaining() < TaskEndPacker.Header) grow()
      bytes.putInt(TaskEndPacker.Version).putInt(event.stageId).putInt(event.stageAttemptId).putLong(info.taskId).putInt(info.partitionId)
      bytes.put((if (event.taskType == "ShuffleMapTask") 1 else 0).toByte).put(TaskEndPacker.code(event.reason))
      bytes.putShort(TaskEndPacker.flags(event.taskMetrics))
      bytes.putLong(info.finishTime)
      val count = bytes.position()
      bytes.putInt(0)
      var updates = 0
      val all = info.accumulables.iterator
      while (all.hasNext) if (put(all.next())) updates += 1
      bytes.putInt(count, updates)
      whole = bytes.position()
    }
  }

  private def put(info: AccumulableInfo): Boolean = info.update match {
    case Some(update) if info.name.isDefined && !info.name.get.startsWith(NamedAccumulators.Internal) && !MetricsInternals.isSqlMetric(info) =>
      // Spark sends the value with every update.
      val value = if (info.value.isDefined) info.value.get else update
      (named.kind(info): @scala.annotation.switch) match {
        case NamedAccumulators.LongSum   => long(info.id, update, value)
        case NamedAccumulators.DoubleSum => double(info.id, update, value)
        case NamedAccumulators.Other     => false
        case _                           => NamedAccumulators.number(value).exists(merged(info.id, _))
      }
    case _ => false
  }

  private def long(id: Long, update: Any, value: Any): Boolean =
    update.isInstanceOf[Long] && value.isInstanceOf[Long] && write(id, update.asInstanceOf[Long], value.asInstanceOf[Long])

  private def double(id: Long, update: Any, value: Any): Boolean =
    update.isInstanceOf[Double] && value.isInstanceOf[Double] && write(id, bits(update.asInstanceOf[Double]), bits(value.asInstanceOf[Double]))

  private def bits(value: Double): Long = java.lang.Double.doubleToRawLongBits(value)

  private def merged(id: Long, value: Any): Boolean = value match {
    case n: Long   => write(id, n, n)
    case n: Double => write(id, bits(n), bits(n))
    case _         => false
  }

  private def write(id: Long, update: Long, value: Long): Boolean = {
    if (bytes.remaining() < 24) grow()
    bytes.putLong(id).putLong(update).putLong(value)
    true
  }

  private def grow(): Unit = {
    val larger = allocate(2 * bytes.capacity())
    bytes.flip()
    larger.put(bytes)
    bytes = larger
  }

  private def allocate(size: Int): ByteBuffer = ByteBuffer.allocateDirect(size).order(ByteOrder.LITTLE_ENDIAN)
}

private[spark] object TaskEndPacker {
  private val Version = 2
  private val Header = 40
  private val HasRead: Short = 1

  /** Whether the task has read input; yes if unknown. */
  private def flags(metrics: TaskMetrics): Short =
    if (metrics == null || metrics.inputMetrics.bytesRead > 0 || metrics.inputMetrics.recordsRead > 0) HasRead else 0

  private def code(reason: TaskEndReason): Byte = reason match {
    case Success             => 0
    case _: ExceptionFailure => 1
    case _: TaskKilled       => 2
    case Resubmitted         => 3
    case _: FetchFailed      => 4
    case _                   => 5
  }
}

/** An event whose arrival proves that all events posted before it have arrived. */
final case class MetricsSentinel(number: Long) extends SparkListenerEvent {
  override protected[spark] def logEvent: Boolean = false
}
