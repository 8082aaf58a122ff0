package andiron.internal.cache

import java.util.concurrent.atomic.AtomicInteger

/**
 * Whether the user's function looks at a cursor's value. A thread that waits for the budget may take the value back while it does not:
 * either moves from idle by compare-and-set, so that never both are in. docs/internals/concurrency.md has the argument.
 */
private[andiron] final class InUse {
  private val state = new AtomicInteger(InUse.Idle)

  /** To be called before the value is asked for. Whether `leave` must be called after it: false within another such call. */
  def enter(): Boolean = {
    while (!state.compareAndSet(InUse.Idle, InUse.Used)) {
      if (state.get == InUse.Used) return false
      Thread.onSpinWait() // whoever takes it releases it now, which waits for nothing
    }
    true
  }

  def leave(): Unit = state.setRelease(InUse.Idle)

  /** Does `release` if the value is not in use; whether it was not. */
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
