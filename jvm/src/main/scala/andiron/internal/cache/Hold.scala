package andiron.internal.cache

import java.lang.invoke.VarHandle

import andiron.{AndironException, ErrorCode}

/**
 * Whether a leased value may still be used. Keeps `owner`, whose collection would end the lease, reachable.
 *
 * Nobody's safety hangs on when another thread learns of the release: what was leased stays readable as long as it is reachable. So
 * `isReleased` is a plain read, which a compiler may take out of a loop; that makes scans as fast as raw memory. `isReleasedNow` is not.
 *
 * @param what names what is leased, for messages
 */
private[andiron] final class Hold(val owner: AnyRef, what: () => String) {
  private var released = false

  /** For every row and every number: a loop of nothing else may see a release by another thread only when it ends. */
  def isReleased: Boolean = released

  /** As `isReleased`, asked anew at every call. */
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

  /** Of a cursor that has not acquired anything. */
  val none: Hold = {
    val hold = new Hold(None, () => "nothing")
    hold.release()
    hold
  }
}
