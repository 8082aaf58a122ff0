package andiron.internal.cache

import java.lang.invoke.VarHandle

import andiron.{AndironException, ErrorCode}

/**
 * Validity of a leased value. Keeps `owner` reachable, whose collection would end the lease.
 *
 * Memory safety does not depend on the moment when another thread sees the release: leased memory stays readable as
 * long as it is reachable. `isReleased` is therefore a plain read, which the compiler may hoist out of a loop, so that
 * scans are as fast as raw memory; `isReleasedNow` is not.
 *
 * `what` names the leased versions in messages.
 */
private[andiron] final class Hold(val owner: AnyRef, what: () => String) {
  private var released = false

  /**
   * For per-row and per-number checks. A loop without other calls may not see another thread's release before the loop
   * ends.
   */
  def isReleased: Boolean = released

  /** As `isReleased`, but re-read at every call. */
  def isReleasedNow: Boolean = {
    VarHandle.acquireFence()
    released
  }

  def release(): Unit = {
    released = true
    VarHandle.fullFence()
  }

  def fail(): Nothing =
    throw AndironException.of(ErrorCode.Released,
      s"${what()} was released: its lease or cursor was closed, its cursor moved on, or its task has ended", null)
}

private[andiron] object Hold {

  /** The hold of a cursor that has not acquired anything. */
  val none: Hold = {
    val hold = new Hold(None, () => "nothing")
    hold.release()
    hold
  }
}
