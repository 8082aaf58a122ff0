package org.apache.spark.andironshim

import java.lang.StackWalker.StackFrame

import org.apache.spark.rdd.RDD

/** Frames of Spark's on a task's stack: methods that a release may rename. */
object TaskStack {

  /**
   * Whether the frame keeps the rows that the frames above it compute: in a block of a persisted RDD, or in a checkpoint
   * file. The JVM resolves the name of a frame's method on first access, which costs more than the frame itself, so
   * classes are compared first.
   */
  def keepsRows(frame: StackFrame): Boolean = {
    val of = frame.getDeclaringClass
    (of eq classOf[RDD[_]]) && frame.getMethodName == "getOrCompute" ||
      of.getName.startsWith("org.apache.spark.rdd.ReliableCheckpointRDD") && frame.getMethodName == "writePartitionToCheckpointFile"
  }

  /** Whether the frame is the start of a task. */
  def isTask(frame: StackFrame): Boolean =
    frame.getDeclaringClass.getName == "org.apache.spark.scheduler.Task" && frame.getMethodName == "run"
}

/** Names of Spark's that are no API: local properties, and the call site that Spark 4.1 gives to stages of an execution. */
object SparkNames {
  val ExecutionId = "spark.sql.execution.id"

  /** The execution that the calling thread's execution is a part of; since 3.4. */
  val RootExecutionId = "spark.sql.execution.root.id"

  /** The query of a micro-batch, and its number. */
  val StreamingQueryId = "sql.streaming.queryId"
  val StreamingBatchId = "streaming.sql.batchId"

  val HiddenCallSite = "$anonfun$withThreadLocalCaptured"
}
