package andiron.internal.cache

import java.util.concurrent.atomic.AtomicInteger

/**
 * Mutual exclusion between the user's function, which reads a cursor's value, and a thread that waits for the budget
 * and may take an idle value back. Both leave the idle state by compare-and-set, so at most one succeeds. The argument
 * is in docs/internals/concurrency.md.
 */
private[andiron] final class InUse {
  private val state = new AtomicInteger(InUse.Idle)

  /** Must precede the request for the value. Returns whether `leave` must follow: false within an enclosing `enter`. */
  def enter(): Boolean = {
    while (!state.compareAndSet(InUse.Idle, InUse.Used)) {
      if (state.get == InUse.Used) return false
      Thread.onSpinWait() // the taker is releasing the value, which never blocks
    }
    true
  }

  def leave(): Unit = state.setRelease(InUse.Idle)

  /** Runs `release` if the value is not in use; returns whether it ran. */
  def take(release: => Unit): Boolean = {
    val isMine = state.compareAndSet(InUse.Idle, InUse.Taken)
    if (isMine)
      try release
      finally state.setRelease(InUse.Idle)
    isMine
  }
}

private[internal] object InUse {
  private final val Idle = 0
  private final val Used = 1
  private final val Taken = 2
}
