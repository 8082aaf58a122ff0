package andiron.internal

import java.lang.StackWalker.StackFrame
import java.util.stream.Stream

/** Whether the rows that the calling thread evaluates go into something that outlives the task: the block of a persisted RDD, or a checkpoint's file. */
private[andiron] object KeptRows {
  private val walker = StackWalker.getInstance()

  // Spark gives an operator nothing of the RDDs downstream; what evaluates it stands on the stack. A thread that is not the task's own (the writer
  // of a pipe or of a Python worker) does not tell: its rows may be kept.
  def isBelow: Boolean = walker.walk[java.lang.Boolean] { (frames: Stream[StackFrame]) =>
    val all = frames.iterator()
    var found = true
    var isOpen = true
    while (isOpen && all.hasNext) {
      val frame = all.next()
      if (keeps(frame)) isOpen = false
      else if (frame.getMethodName == "run" && frame.getClassName == "org.apache.spark.scheduler.Task") {
        found = false
        isOpen = false
      }
    }
    Boolean.box(found)
  }

  private def keeps(frame: StackFrame): Boolean =
    frame.getMethodName == "getOrCompute" && frame.getClassName == "org.apache.spark.rdd.RDD" ||
      frame.getMethodName == "writePartitionToCheckpointFile" && frame.getClassName.startsWith("org.apache.spark.rdd.ReliableCheckpointRDD")
}
