package andiron.internal.util

import java.io.{OutputStream, PrintStream}

import andiron.AndironException

/**
 * A user's error in a form safe to give to a task. Spark traverses the causes of a task's exception recursively and
 * prints it, on the thread that must report the task's end: if either fails, the job waits forever.
 */
private[andiron] object UserError {
  private val MostCauses = 100

  /**
   * `error` itself; but a description with its stack if its causes form a cycle or are too many, or if it cannot be
   * printed.
   */
  def presentable(error: Throwable): Throwable = problem(error) match {
    case None => error
    case Some(what) => described(error, s"${error.getClass.getName}, which is not shown because $what")
  }

  /**
   * `error` in a form that a task can throw. Spark ends the executor for a VM error among the causes of a task's
   * exception; a VM error from a loader is therefore replaced by a description with its stack.
   */
  def forTask(error: AndironException): AndironException =
    Iterator.iterate(error.getCause)(_.getCause).takeWhile(_ != null).take(MostCauses).find(isFatal) match {
      case None        => error
      case Some(fatal) => AndironException.of(error.code, error.getMessage, described(fatal, s"$fatal"))
    }

  private def isFatal(error: Throwable): Boolean = error.isInstanceOf[VirtualMachineError] || error.isInstanceOf[ThreadDeath]

  private def described(error: Throwable, text: String): Throwable = {
    val described = new RuntimeException(text)
    described.setStackTrace(stackOf(error))
    described
  }

  private def problem(error: Throwable): Option[String] =
    try {
      var causes = 0
      var cause = error.getCause
      while (cause != null && causes <= MostCauses) {
        causes += 1
        cause = cause.getCause
      }
      error.printStackTrace(new PrintStream(OutputStream.nullOutputStream()))
      String.valueOf(error.getMessage)
      if (causes > MostCauses) Some(s"it has more than $MostCauses causes, or they form a ring") else None
    } catch { case t: Throwable => Some(s"it cannot be printed: ${t.getClass.getName}") }

  private def stackOf(error: Throwable): Array[StackTraceElement] =
    try error.getStackTrace.filter(_ != null)
    catch { case _: Throwable => Array.empty }
}
