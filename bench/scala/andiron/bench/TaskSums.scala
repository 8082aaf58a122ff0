package andiron.bench

import java.util.concurrent.atomic.AtomicLong

import org.apache.spark.SparkContext
import org.apache.spark.scheduler.{SparkListener, SparkListenerTaskEnd, SparkListenerTaskStart}

/** The sums of Spark's task times since `start`. */
final class TaskSums(context: SparkContext) extends SparkListener {
  private val running, tasks, runMillis, cpuNanos, shuffleBytes, lastEvent = new AtomicLong
  context.addSparkListener(this)

  override def onTaskStart(start: SparkListenerTaskStart): Unit = {
    lastEvent.set(System.nanoTime())
    running.incrementAndGet(): Unit
  }

  override def onTaskEnd(end: SparkListenerTaskEnd): Unit = {
    lastEvent.set(System.nanoTime())
    running.decrementAndGet()
    tasks.incrementAndGet()
    val metrics = end.taskMetrics
    if (metrics != null) {
      runMillis.addAndGet(metrics.executorRunTime)
      cpuNanos.addAndGet(metrics.executorCpuTime)
      shuffleBytes.addAndGet(metrics.shuffleWriteMetrics.bytesWritten): Unit
    }
  }

  /** Resets the sums. */
  def start(): Unit = {
    settle()
    Seq(tasks, runMillis, cpuNanos, shuffleBytes).foreach(_.set(0))
  }

  /** The sums, after the events of all tasks have arrived. */
  def figures: Map[String, Double] = {
    settle()
    Map("tasks" -> tasks.get.toDouble, "task_s" -> runMillis.get / 1e3, "cpu_s" -> cpuNanos.get / 1e9,
      "shuffle_bytes" -> shuffleBytes.get.toDouble)
  }

  private def settle(): Unit =
    while (running.get > 0 || System.nanoTime() - lastEvent.get < TaskSums.QuietNanos) Thread.sleep(10)
}

private object TaskSums {
  private val QuietNanos = 300000000L
}
