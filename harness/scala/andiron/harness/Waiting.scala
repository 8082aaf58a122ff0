package andiron.harness

object Waiting {

  /** Asks every 20 ms until `condition` holds; an exception that names `what` after `seconds`. */
  def until(what: => String, seconds: Int, periodMillis: Long = 20)(condition: => Boolean): Unit =
    if (!holds(seconds, periodMillis)(condition)) throw new IllegalStateException(s"no $what within $seconds s")

  /** Whether `condition` comes to hold within the seconds. */
  def holds(seconds: Int, periodMillis: Long = 20)(condition: => Boolean): Boolean = {
    val end = System.nanoTime() + seconds * 1000000000L
    var held = condition
    while (!held && System.nanoTime() < end) {
      Thread.sleep(periodMillis)
      held = condition
    }
    held
  }
}
