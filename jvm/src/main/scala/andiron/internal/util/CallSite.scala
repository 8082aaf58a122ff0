package andiron.internal.util

/** The place in the user's program that a call comes from. */
private[andiron] object CallSite {
  private val Ours = Seq("andiron.", "org.apache.spark.", "scala.", "java.", "jdk.", "sun.")

  private val told = new ThreadLocal[String]

  /**
   * Runs `body` with `place` as its call site, because a call from another language has no user frame on this stack.
   */
  def from[A](place: String)(body: => A): A = {
    told.set(place)
    try body
    finally told.remove()
  }

  /** File and line of the topmost frame of the user's code. */
  def here: String = Option(told.get()).getOrElse(ofStack)

  private def ofStack: String = Thread.currentThread().getStackTrace.find(isUsers) match {
    case Some(frame) => s"${Option(frame.getFileName).getOrElse(frame.getClassName)}:${frame.getLineNumber}"
    case None        => "unknown"
  }

  private def isUsers(frame: StackTraceElement): Boolean = {
    val name = frame.getClassName
    !Ours.exists(name.startsWith) || isExample(name)
  }

  /** Programs within Andiron's packages that count as user code: demo, benchmarks and suites. */
  private def isExample(name: String): Boolean =
    name.startsWith("andiron.demo.") || name.startsWith("andiron.bench.") || name.startsWith("andiron.faults.") || name.contains("Suite") ||
      name.startsWith("org.apache.spark.examples.")
}
