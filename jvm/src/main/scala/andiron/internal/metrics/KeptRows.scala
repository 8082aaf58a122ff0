package andiron.internal.metrics

import java.lang.StackWalker.{Option, StackFrame}
import java.util.stream.Stream

import org.apache.spark.andironshim.TaskStack

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
      if (TaskStack.keepsRows(frame)) isOpen = false
      else if (TaskStack.isTask(frame)) {
        found = false
        isOpen = false
      }
    }
    Boolean.box(found)
  }
}
