package org.apache.spark.andironshim

import org.apache.spark.{SparkEnv, TaskContext}

/** Spark's private state, for suites. */
object Probes {

  /** The gauges that the plugin has registered in this process, by name. */
  def gauges: Map[String, Any] = {
    var found = Map.empty[String, Any]
    SparkEnv.get.metricsSystem.getSourcesByName("plugin.andiron.AndironPlugin").foreach { source =>
      source.metricRegistry.getGauges.forEach((name, gauge) => found += name -> gauge.getValue)
    }
    found
  }

  def offHeapStorageUsed: Long = SparkEnv.get.memoryManager.offHeapStorageMemoryUsed

  def onHeapStorageUsed: Long = SparkEnv.get.memoryManager.onHeapStorageMemoryUsed

  /** The context of a task that is none of Spark's. */
  def context(): TaskContext = TaskContext.empty()

  /** Lets the task complete without running its completion listeners. */
  def completeSilently(context: TaskContext): Unit = {
    val field = context.getClass.getDeclaredFields.find(_.getName.endsWith("completed")).get
    field.setAccessible(true)
    field.setBoolean(context, true)
  }

  def within[A](context: TaskContext)(body: => A): A = {
    TaskContext.setTaskContext(context)
    try body
    finally TaskContext.unset()
  }
}
