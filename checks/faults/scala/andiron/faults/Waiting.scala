package andiron.faults

object Waiting {

  /** Asks every 20 ms until `condition` holds; an exception after `seconds`. */
  def until(what: String, seconds: Int)(condition: => Boolean): Unit = {
    val end = System.nanoTime() + seconds * 1000000000L
    while (!condition) {
      if (System.nanoTime() > end) throw new IllegalStateException(s"no $what within $seconds s")
      Thread.sleep(20)
    }
  }
}
