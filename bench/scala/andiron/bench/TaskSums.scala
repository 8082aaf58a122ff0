package andiron.bench

import java.util.concurrent.atomic.AtomicLong

import org.apache.spark.SparkContext
import org.apache.spark.andironshim.BenchListeners
import org.apache.spark.scheduler.{SparkListener, SparkListenerTaskEnd}

/** The sums of Spark's task times since `start`. Jobs must have ended before `start` and `figures`. */
final class TaskSums(context: SparkContext) extends SparkListener {
  private val tasks, runMillis, cpuNanos, shuffleBytes = new AtomicLong
  context.addSparkListener(this)

  override def onTaskEnd(end: SparkListenerTaskEnd): Unit = {
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
    BenchListeners.drain(context)
    Seq(tasks, runMillis, cpuNanos, shuffleBytes).foreach(_.set(0))
  }

  /** The sums, after the events of all tasks have arrived. */
  def figures: Map[String, Double] = {
    BenchListeners.drain(context)
    Map("tasks" -> tasks.get.toDouble, "task_s" -> runMillis.get / 1e3, "cpu_s" -> cpuNanos.get / 1e9,
      "shuffle_bytes" -> shuffleBytes.get.toDouble)
  }
}
