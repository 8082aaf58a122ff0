package andiron.internal.metrics

import java.lang.StackWalker.{Option, StackFrame}
import java.util.stream.Stream

import org.apache.spark.rdd.RDD

/**
 * Determines whether the rows that the calling thread evaluates outlive the task: in a block of a persisted RDD, or in
 * a checkpoint file.
 */
private[andiron] object KeptRows {
  private val walker = StackWalker.getInstance(Option.RETAIN_CLASS_REFERENCE)

  // Spark gives an operator no information about downstream RDDs, but their evaluation is on the stack. The stack of
  // another thread than the task's (the writer of a pipe or of a Python worker) does not show it: its rows may be kept.
  def isBelow: Boolean = walker.walk[java.lang.Boolean] { (frames: Stream[StackFrame]) =>
    val all = frames.iterator()
    var found = true
    var isOpen = true
    while (isOpen && all.hasNext) {
      val frame = all.next()
      if (keeps(frame)) isOpen = false
      else if (isTask(frame.getDeclaringClass) && frame.getMethodName == "run") {
        found = false
        isOpen = false
      }
    }
    Boolean.box(found)
  }

  // The JVM resolves the name of a frame's method on first access, which costs more than the frame itself, so classes
  // are compared first.
  private def keeps(frame: StackFrame): Boolean = {
    val of = frame.getDeclaringClass
    (of eq classOf[RDD[_]]) && frame.getMethodName == "getOrCompute" ||
      of.getName.startsWith("org.apache.spark.rdd.ReliableCheckpointRDD") && frame.getMethodName == "writePartitionToCheckpointFile"
  }

  private def isTask(of: Class[_]): Boolean = of.getName == "org.apache.spark.scheduler.Task"
}
