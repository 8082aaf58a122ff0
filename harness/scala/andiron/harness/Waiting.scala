package andiron.harness

object Waiting {

  /** Polls until `condition` holds; throws an exception that names `what` after `seconds`. */
  def until(what: => String, seconds: Int, periodMillis: Long = 20)(condition: => Boolean): Unit =
    if (!holds(seconds, periodMillis)(condition)) throw new IllegalStateException(s"no $what within $seconds s")

  /** Whether `condition` becomes true within `seconds`. */
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
