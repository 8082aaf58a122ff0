package andiron.faults

import java.util.concurrent.atomic.AtomicInteger

import org.apache.spark.{FetchFailed, TaskKilled}
import org.apache.spark.scheduler.{SparkListener, SparkListenerTaskEnd, SparkListenerTaskStart}

/** Counts of the scheduler's task events. */
final class StageCounts extends SparkListener {
  private val fetches, killed, speculative, running = new AtomicInteger

  def fetchFailures: Int = fetches.get
  def kills: Int = killed.get
  def speculativeCopies: Int = speculative.get
  def active: Int = running.get

  override def onTaskStart(event: SparkListenerTaskStart): Unit = {
    running.incrementAndGet()
    if (event.taskInfo.speculative) speculative.incrementAndGet(): Unit
  }

  override def onTaskEnd(event: SparkListenerTaskEnd): Unit = {
    running.decrementAndGet()
    event.reason match {
      case _: FetchFailed => fetches.incrementAndGet(): Unit
      case _: TaskKilled  => killed.incrementAndGet(): Unit
      case _              =>
    }
  }
}
