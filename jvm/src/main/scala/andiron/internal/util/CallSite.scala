package andiron.internal.util

/** Where in the user's program a call comes from. */
private[andiron] object CallSite {
  private val Ours = Seq("andiron.", "org.apache.spark.", "scala.", "java.", "jdk.", "sun.")

  private val told = new ThreadLocal[String]

  /** Runs `body`, of which `place` is the place: what is called from another language has no frame here that says so. */
  def from[A](place: String)(body: => A): A = {
    told.set(place)
    try body
    finally told.remove()
  }

  /** File and line of the frame nearest to the top that is the user's. */
  def here: String = Option(told.get()).getOrElse(ofStack)

  private def ofStack: String = Thread.currentThread().getStackTrace.find(isUsers) match {
    case Some(frame) => s"${Option(frame.getFileName).getOrElse(frame.getClassName)}:${frame.getLineNumber}"
    case None        => "unknown"
  }

  private def isUsers(frame: StackTraceElement): Boolean = {
    val name = frame.getClassName
    !Ours.exists(name.startsWith) || isExample(name)
  }

  /** Programs that happen to be in our packages: demo, benchmarks and suites. */
  private def isExample(name: String): Boolean =
    name.startsWith("andiron.demo.") || name.startsWith("andiron.bench.") || name.startsWith("andiron.faults.") || name.contains("Suite") ||
      name.startsWith("org.apache.spark.examples.")
}
