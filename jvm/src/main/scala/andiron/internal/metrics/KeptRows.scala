package andiron.internal.metrics

import java.lang.StackWalker.{Option, StackFrame}
import java.util.stream.Stream

import org.apache.spark.rdd.RDD

/** Whether the rows that the calling thread evaluates go into something that outlives the task: the block of a persisted RDD, or a checkpoint's file. */
private[andiron] object KeptRows {
  private val walker = StackWalker.getInstance(Option.RETAIN_CLASS_REFERENCE)

  // Spark gives an operator nothing of the RDDs downstream; what evaluates it stands on the stack. A thread that is not the task's own (the writer
  // of a pipe or of a Python worker) does not tell: its rows may be kept.
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

  // The JVM resolves the name of a frame's method when it is read first, which costs more than the frame itself: classes are compared before.
  private def keeps(frame: StackFrame): Boolean = {
    val of = frame.getDeclaringClass
    (of eq classOf[RDD[_]]) && frame.getMethodName == "getOrCompute" ||
      of.getName.startsWith("org.apache.spark.rdd.ReliableCheckpointRDD") && frame.getMethodName == "writePartitionToCheckpointFile"
  }

  private def isTask(of: Class[_]): Boolean = of.getName == "org.apache.spark.scheduler.Task"
}
