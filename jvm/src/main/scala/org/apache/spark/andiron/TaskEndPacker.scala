package org.apache.spark.andiron

import java.nio.{ByteBuffer, ByteOrder}

import scala.collection.mutable

import org.apache.spark.{ExceptionFailure, FetchFailed, Resubmitted, Success, TaskEndReason, TaskKilled}
import org.apache.spark.scheduler.{AccumulableInfo, SparkListenerEvent, SparkListenerTaskEnd}

/**
 * The ends of tasks as bytes, in the layout of docs/wire-format.md, one after the other in a direct buffer that is used again. One thread.
 *
 * @param announce called once for each accumulator with its id, name and kind, before its first update is packed
 */
private[spark] final class TaskEndPacker(announce: (Long, String, Int) => Unit) {
  private val kinds = mutable.LongMap.empty[Integer]
  private var bytes = allocate(4096)
  private var whole = 0

  /** What was packed since the last `clear`, from its beginning on. */
  def buffer: ByteBuffer = bytes

  /** How many bytes that are. */
  def length: Int = whole

  def clear(): Unit = {
    bytes.clear()
    whole = 0
  }

  /** Packs the event; nothing if Spark gives no task with it. After an error nothing of the event is there. */
  def pack(event: SparkListenerTaskEnd): Unit = {
    val info = event.taskInfo
    if (info != null) {
      bytes.position(whole)
      if (bytes.remaining() < TaskEndPacker.Header) grow()
      bytes.putInt(TaskEndPacker.Version).putInt(event.stageId).putInt(event.stageAttemptId).putLong(info.taskId).putInt(info.partitionId)
      bytes.put((if (event.taskType == "ShuffleMapTask") 1 else 0).toByte).put(TaskEndPacker.code(event.reason)).putShort(0)
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
    case Some(update) if info.name.isDefined && !info.name.get.startsWith("internal.metrics.") && !MetricsInternals.isSqlMetric(info) =>
      (kind(info, update): @scala.annotation.switch) match {
        case TaskEndPacker.LongKind   => write(info.id, update.asInstanceOf[Long])
        case TaskEndPacker.DoubleKind => write(info.id, java.lang.Double.doubleToRawLongBits(update.asInstanceOf[Double]))
        case _                        => false
      }
    case _ => false
  }

  /** The kind under which the accumulator was announced, or Other for an update of another one. */
  private def kind(info: AccumulableInfo, update: Any): Int = {
    val now = update match {
      case _: Long   => TaskEndPacker.LongKind
      case _: Double => TaskEndPacker.DoubleKind
      case _         => TaskEndPacker.Other
    }
    val known = kinds.getOrElse(info.id, null)
    if (known == null) {
      kinds.put(info.id, now)
      announce(info.id, info.name.get, now)
      now
    } else if (known == now) now
    else TaskEndPacker.Other
  }

  private def write(id: Long, bits: Long): Boolean = {
    if (bytes.remaining() < 16) grow()
    bytes.putLong(id).putLong(bits)
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
  private val Version = 1
  private val Header = 40
  final val LongKind = 0
  final val DoubleKind = 1
  final val Other = 2

  private def code(reason: TaskEndReason): Byte = reason match {
    case Success             => 0
    case _: ExceptionFailure => 1
    case _: TaskKilled       => 2
    case Resubmitted         => 3
    case _: FetchFailed      => 4
    case _                   => 5
  }
}

/** An event that tells, when it arrives, that all events posted before it have arrived too. */
final case class MetricsSentinel(number: Long) extends SparkListenerEvent {
  override protected[spark] def logEvent: Boolean = false
}
