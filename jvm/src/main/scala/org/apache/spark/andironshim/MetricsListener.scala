package org.apache.spark.andironshim

import java.nio.ByteBuffer

import org.apache.spark.SparkFirehoseListener
import org.apache.spark.scheduler._
import org.apache.spark.sql.execution.ui.{SparkListenerSQLAdaptiveExecutionUpdate, SparkListenerSQLExecutionEnd, SparkListenerSQLExecutionStart}

/** Receiver of an application's events. Called by one thread. */
trait MetricsEvents {
  def accumulator(id: Long, name: String, kind: Int): Unit

  /** Current driver values, longs and doubles, of accumulators that tasks have updated, by id. */
  def accumulatorValues(values: Seq[(Long, Any)]): Unit

  /** A speculative copy of a task of the stage is submitted. */
  def speculation(stage: Int, attempt: Int): Unit

  /** Ends of tasks, packed one after another in `buffer`. */
  def taskEnds(buffer: ByteBuffer, length: Int): Unit
  def stageSubmitted(stage: StageInfo, executionId: Option[Long]): Unit
  def stageCompleted(stage: StageInfo): Unit
  def jobStart(event: SparkListenerJobStart, executionId: Option[Long]): Unit
  def jobEnd(event: SparkListenerJobEnd): Unit
  def executionStart(event: SparkListenerSQLExecutionStart): Unit
  def executionUpdate(event: SparkListenerSQLAdaptiveExecutionUpdate): Unit
  def executionEnd(event: SparkListenerSQLExecutionEnd): Unit
  def sentinel(number: Long): Unit
  def applicationEnd(event: SparkListenerApplicationEnd): Unit

  /** An error in one of these callbacks, LinkageErrors included. */
  def failed(what: String, error: Throwable): Unit
}

/**
 * Passes Spark's events to `events` and returns. While more events wait in the queue, ends of tasks are batched and
 * passed together: at the latest before an event of another kind, and before the thread waits for the next event. It
 * never throws: Spark swallows some errors, stops the application for others, and removes a listener that leaves its
 * thread interrupted.
 *
 * @param gathering for this listener's own queue; None if it shares one
 */
final class MetricsListener(events: MetricsEvents, gathering: Option[Gathering] = None) extends SparkFirehoseListener {
  private val named = new NamedAccumulators(events.accumulator)
  private val packer = new TaskEndPacker(named)

  override def onEvent(event: SparkListenerEvent): Unit = event match {
    case end: SparkListenerTaskEnd                       => guarded("note the end of a task")(taskEnd(end))
    case stage: SparkListenerStageSubmitted              => inOrder("note a stage")(submitted(stage))
    case stage: SparkListenerStageCompleted              => inOrder("note the end of a stage")(events.stageCompleted(stage.stageInfo))
    case job: SparkListenerJobStart                      => inOrder("note a job")(events.jobStart(job, execution(job.properties)))
    case job: SparkListenerJobEnd                        => inOrder("note the end of a job")(events.jobEnd(job))
    case end: SparkListenerApplicationEnd                => inOrder("end the metrics")(lookThen(events.applicationEnd(end)))
    case sentinel: MetricsSentinel                       => inOrder("note an event")(lookThen(events.sentinel(sentinel.number)))
    case copy: SparkListenerSpeculativeTaskSubmitted     => inOrder("note a copy")(events.speculation(copy.stageId, copy.stageAttemptId))
    case start: SparkListenerSQLExecutionStart           => inOrder("note an event")(events.executionStart(start))
    case update: SparkListenerSQLAdaptiveExecutionUpdate => inOrder("note an event")(events.executionUpdate(update))
    case end: SparkListenerSQLExecutionEnd               => inOrder("note an event")(events.executionEnd(end))
    case _                                               => if (packer.length > 0 && !more) guarded("note the ends of tasks")(handOver())
  }

  private def submitted(stage: SparkListenerStageSubmitted): Unit = {
    guarded("look for accumulators")(named.look())
    events.stageSubmitted(stage.stageInfo, execution(stage.properties))
  }

  private def lookThen(action: => Unit): Unit = {
    guarded("look at accumulators") {
      val values = named.values()
      if (values.nonEmpty) events.accumulatorValues(values)
    }
    action
  }

  private def more: Boolean = gathering.exists(_.more)

  private def taskEnd(event: SparkListenerTaskEnd): Unit = {
    val waits =
      try {
        packer.pack(event)
        more
      } finally if (packer.length >= MetricsListener.MostBytes || !more) handOver()
    if (!waits) gathering.foreach(_.rest())
  }

  private def handOver(): Unit = {
    val length = packer.length
    if (length > 0)
      try events.taskEnds(packer.buffer, length)
      finally packer.clear()
  }

  private def execution(properties: java.util.Properties): Option[Long] =
    Option(properties).flatMap(p => Option(p.getProperty("spark.sql.execution.id"))).map(_.toLong)

  private def inOrder(what: String)(action: => Unit): Unit = {
    if (packer.length > 0) guarded("note the ends of tasks")(handOver())
    guarded(what)(action)
  }

  // The thread belongs to this listener's queue, so an interrupt has no other receiver.
  private def guarded(what: String)(action: => Unit): Unit =
    try action
    catch {
      case t: Throwable =>
        try events.failed(what, t)
        catch { case _: Throwable => () }
    } finally Thread.interrupted(): Unit
}

private object MetricsListener {
  private val MostBytes = 32 << 10
}
