package org.apache.spark.andiron

import java.nio.ByteBuffer

import org.apache.spark.scheduler._
import org.apache.spark.sql.execution.ui.{SparkListenerSQLAdaptiveExecutionUpdate, SparkListenerSQLExecutionEnd, SparkListenerSQLExecutionStart}

/** Where the events of an application go. Called by one thread. */
trait MetricsEvents {
  def accumulator(id: Long, name: String, kind: Int): Unit

  /** Ends of tasks that follow each other in `buffer`. */
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

  /** An error of any of these, LinkageErrors included. */
  def failed(what: String, error: Throwable): Unit
}

/**
 * Copies what Spark tells into `events` and returns. While more events wait in the queue, ends of tasks are handed over together, always
 * before an event of another kind. Nothing is thrown: Spark swallows some errors, stops the application for others, and
 * removes a listener that leaves its thread interrupted.
 *
 * @param gathering of the events of this listener's queue; None where it has none of its own
 */
final class MetricsListener(events: MetricsEvents, gathering: Option[Gathering] = None) extends SparkListener {
  private val packer = new TaskEndPacker(events.accumulator)

  override def onTaskEnd(event: SparkListenerTaskEnd): Unit = onlyGuarded("note the end of a task") {
    packer.pack(event)
    val more = gathering.exists(_.more)
    if (!more || packer.length >= MetricsListener.MostBytes) handOver()
    if (!more) gathering.foreach(_.rest())
  }

  private def handOver(): Unit = {
    val length = packer.length
    if (length > 0)
      try events.taskEnds(packer.buffer, length)
      finally packer.clear()
  }

  override def onStageSubmitted(event: SparkListenerStageSubmitted): Unit =
    guarded("note a stage")(events.stageSubmitted(event.stageInfo, execution(event.properties)))

  override def onStageCompleted(event: SparkListenerStageCompleted): Unit = guarded("note the end of a stage")(events.stageCompleted(event.stageInfo))

  override def onJobStart(event: SparkListenerJobStart): Unit = guarded("note a job")(events.jobStart(event, execution(event.properties)))

  override def onJobEnd(event: SparkListenerJobEnd): Unit = guarded("note the end of a job")(events.jobEnd(event))

  override def onApplicationEnd(event: SparkListenerApplicationEnd): Unit = guarded("end the metrics")(events.applicationEnd(event))

  override def onOtherEvent(event: SparkListenerEvent): Unit = guarded("note an event") {
    event match {
      case sentinel: MetricsSentinel                       => events.sentinel(sentinel.number)
      case start: SparkListenerSQLExecutionStart           => events.executionStart(start)
      case update: SparkListenerSQLAdaptiveExecutionUpdate => events.executionUpdate(update)
      case end: SparkListenerSQLExecutionEnd               => events.executionEnd(end)
      case _                                               =>
    }
  }

  private def execution(properties: java.util.Properties): Option[Long] =
    Option(properties).flatMap(p => Option(p.getProperty("spark.sql.execution.id"))).map(_.toLong)

  private def guarded(what: String)(action: => Unit): Unit = {
    if (packer.length > 0) onlyGuarded("note the ends of tasks")(handOver())
    onlyGuarded(what)(action)
  }

  // An interrupt has nobody else to go to: the thread belongs to this listener's queue.
  private def onlyGuarded(what: String)(action: => Unit): Unit =
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
