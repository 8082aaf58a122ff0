package andiron.internal.cache

import java.nio.file.Paths

import org.apache.spark.{BarrierTaskContext, TaskKilledException}
import org.apache.spark.andironshim.SparkInternals
import org.slf4j.LoggerFactory

import andiron.{BudgetException, Bytes, ErrorCode, LoadException, ReleasedException}
import andiron.internal.boundary.Native
import andiron.internal.util.UserError

/**
 * The common part of cursors, leases and lease sets: a native cursor, waiting, and the leased values. Used by one
 * thread at a time; any thread may call `expire`.
 *
 * @param wanted handles of the versions that it is opened for; empty if not yet known
 * @param inUse whether the user's function is reading the value; null if that cannot be known, and then the value is
 *   never taken back
 */
private[andiron] final class NativeCursor[V](
    catalog: OpenCatalog[V], leases: TaskLeases, ordered: Boolean, wanted: Array[Long], inUse: InUse = null) {
  private val handle =
    try Native.openCursor(leases.attempt, ordered)
    catch { case e: ReleasedException => throw AndironErrors.about(catalog.describe(wanted), e) }
  @volatile private var hold: Hold = Hold.none
  @volatile private var moved = 0L
  @volatile private var wasTaken = false
  @volatile private var cameBack = false
  leases.add(this)

  /** Number of its last move among the moves of its attempt. */
  def lastMove: Long = moved

  /**
   * Whether another cursor of the task may take this one's version. `moves` is the attempt's current number of moves. A
   * cursor that has asked again for a version taken from it is being read in alternation with others, and is exempt
   * until the others have moved often without it.
   */
  def mayBeTakenBack(moves: Long): Boolean = inUse != null && !hold.isReleasedNow && (!cameBack || moves - moved > NativeCursor.MovesApart)

  /** Releases the held version unless the user's function is reading it; returns whether it did. Any thread. */
  def takeBack(): Boolean = inUse.take {
    hold.release()
    // The value taken back must not stay reachable from here.
    hold = Hold.none
    wasTaken = true
    Native.release(handle)
  }

  /** The hold that tells whether the last acquired value may still be used. */
  def held: Hold = hold

  /** Whether the last acquired value is released, or none was acquired. */
  def isReleased: Boolean = hold.isReleased

  /**
   * Releases the held version, then leases `version`, waiting for load and budget. The value keeps `owner` reachable.
   */
  def acquire(version: Long, owner: AnyRef): V = {
    hold.release()
    val what = () => catalog.describe(Array(version))
    val residency = wait(what, () => Native.advance(handle, version))
    begin(owner, what)
    value(0, residency)
  }

  /** As `acquire`, for several versions: all or none. */
  def acquireAll(versions: Array[Long], owner: AnyRef): IndexedSeq[V] = {
    hold.release()
    val what = () => catalog.describe(versions)
    wait(what, () => Native.advanceAll(handle, versions)): Unit
    begin(owner, what)
    versions.indices.map(index => value(index, 0))
  }

  /** As `acquireAll`, for versions of any catalogs, whose values the caller takes from the native cursor that is returned. */
  def acquireHeld(versions: Array[Long], owner: AnyRef): Long = {
    hold.release()
    val what = () => catalog.describe(versions)
    wait(what, () => Native.advanceAll(handle, versions)): Unit
    begin(owner, what)
    handle
  }

  /** As `acquire`, for mapping by another process: the file of bytes, or the path of files, valid during the lease. */
  def acquireFile(version: Long, owner: AnyRef): LeasedFile = {
    hold.release()
    val what = () => catalog.describe(Array(version))
    wait(what, () => Native.advance(handle, version)): Unit
    begin(owner, what)
    if (catalog.isFiles) LeasedFile(Native.leasedPath(handle, 0), LeasedFile.Named, 0, 0)
    else {
      val out = new Array[Long](3)
      val path = Native.leasedFile(handle, 0, out)
      LeasedFile(path, out(0), out(1), out(2))
    }
  }

  /** Releases the held versions. */
  def release(): Unit = {
    hold.release()
    Native.release(handle)
  }

  def close(): Unit = {
    hold.release()
    leases.remove(this)
    Native.closeCursor(handle)
  }

  /** Marks the value as released; the library releases the lease with the attempt. */
  def expire(): Unit = hold.release()

  private def begin(owner: AnyRef, what: () => String): Unit = {
    moved = leases.move()
    cameBack = wasTaken
    wasTaken = false
    val fresh = new Hold(owner, what)
    hold = fresh
    // The attempt may have ended since the acquisition without having seen the new hold.
    if (!leases.isOpen) fresh.release()
  }

  private def value(index: Int, residency: Long): V = {
    val value: Any =
      if (catalog.isBytes) {
        val view = Views.of(handle, index, residency)
        new Bytes(view, hold, 0, view.length)
      } else if (catalog.isFiles) Paths.get(Native.leasedPath(handle, index))
      else OwnedValue.of(Native.leasedObject(handle, index))
    value.asInstanceOf[V]
  }

  /** Asks, then waits in slices and checks for task kill and interruption between them. Either withdraws the wait. */
  private def wait(what: () => String, ask: () => Long): Long =
    try {
      // Settings are read only when waiting for the budget: the path without a wait must also work on a nearly full
      // stack.
      var lastResort: Option[Long] = None
      var residency = ask()
      while (residency <= 0) {
        stopIfKilled(what)
        if (residency < 0) {
          if (lastResort.isEmpty) lastResort = Some(System.nanoTime() + leases.lastResortNanos)
          leases.takeBack(this, anyhow = lastResort.exists(System.nanoTime() - _ > 0)): Unit
        }
        residency = Native.await(handle, NativeCursor.SliceMillis)
      }
      residency
    } catch {
      case e: BudgetException if e.code == ErrorCode.BudgetDeadlock && mayTryAgain =>
        NativeCursor.log.warn("{}; the task is killed and will be tried again", e.getMessage)
        throw new TaskKilledException(s"Andiron: ${e.getMessage}")
      case e: LoadException if leases.context != null => throw UserError.forTask(e)
      case e: ReleasedException                       => throw AndironErrors.about(what(), e)
    }

  /**
   * Whether this is one of the task's first attempts. False for a barrier task, because killing it restarts the whole
   * stage.
   */
  private def mayTryAgain: Boolean =
    leases.context != null && !leases.context.isInstanceOf[BarrierTaskContext] && leases.context.attemptNumber() < NativeCursor.DeadlockAttempts

  private def stopIfKilled(what: () => String): Unit = {
    if (leases.context != null && leases.context.isInterrupted()) {
      Native.release(handle)
      throw new TaskKilledException(SparkInternals.killReason(leases.context))
    }
    if (Thread.interrupted()) {
      Native.release(handle)
      throw new InterruptedException(s"interrupted while waiting for ${what()}")
    }
  }
}

/** File of a leased version, as `Native.leasedFile` describes it; for a version of `Loader.files`, only its path. */
private[andiron] final case class LeasedFile(path: String, length: Long, device: Long, inode: Long) {
  def isNamed: Boolean = length == LeasedFile.Named
}

private[andiron] object LeasedFile {

  /** Marks a version of `Loader.files`, in place of a length. */
  val Named: Long = -1L
}

private[andiron] object NativeCursor {
  private val log = LoggerFactory.getLogger(classOf[NativeCursor[_]])

  /** Longest wait within one call into the library, so that a killed task stops within 200 ms. */
  private val SliceMillis = 50L

  /** A cursor read in alternation with others counts as idle after this number of moves by the others. */
  private val MovesApart = 16L

  /**
   * Number of attempts of a task killed for a deadlock on the budget, which Spark does not count as failures. A later
   * attempt fails.
   */
  private val DeadlockAttempts = 3
}
