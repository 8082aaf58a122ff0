package andiron.internal.cache

import java.nio.file.Paths

import org.apache.spark.{BarrierTaskContext, TaskKilledException}
import org.apache.spark.andironshim.SparkInternals
import org.slf4j.LoggerFactory

import andiron.{BudgetException, Bytes, ErrorCode, LoadException, ReleasedException}
import andiron.internal.boundary.Native
import andiron.internal.util.UserError

/**
 * What cursors, leases and lease sets have in common: a native cursor, waiting for what it asked for, and the values that it holds.
 * Used by one thread at a time; `expire` may come from any.
 *
 * @param wanted the versions that it is opened for, by their handles; none if that is not known yet
 * @param inUse whether the user's function looks at the value now; null if that cannot be known, so that nothing is ever taken back
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

  /** The number of its last move among those of its attempt. */
  def lastMove: Long = moved

  /**
   * Whether it may lose what it holds to another cursor of its task, which has made `moves` of them so far. One that has asked again for what it
   * lost is read in turn with others, and loses nothing until they have moved often without it.
   */
  def mayBeTakenBack(moves: Long): Boolean = inUse != null && !hold.isReleasedNow && (!cameBack || moves - moved > NativeCursor.MovesApart)

  /** Releases what is held unless the user's function is looking at it; whether it did. By any thread. */
  def takeBack(): Boolean = inUse.take {
    hold.release()
    // What has been taken back is not kept reachable from here.
    hold = Hold.none
    wasTaken = true
    Native.release(handle)
  }

  /** What was acquired last may be used as long as this says so. */
  def held: Hold = hold

  /** Whether what was acquired last is released, or nothing was. */
  def isReleased: Boolean = hold.isReleased

  /** Releases what is held, then leases the version, waiting for load and budget. `owner` is kept reachable by the value. */
  def acquire(version: Long, owner: AnyRef): V = {
    hold.release()
    val what = () => catalog.describe(Array(version))
    val residency = wait(what, () => Native.advance(handle, version))
    begin(owner, what)
    value(0, residency)
  }

  /** The same for several, all or none. */
  def acquireAll(versions: Array[Long], owner: AnyRef): IndexedSeq[V] = {
    hold.release()
    val what = () => catalog.describe(versions)
    wait(what, () => Native.advanceAll(handle, versions)): Unit
    begin(owner, what)
    versions.indices.map(index => value(index, 0))
  }

  /** The same of what another process maps: the file of bytes, or where files are, good as long as they are leased. */
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

  /** Releases what is held. */
  def release(): Unit = {
    hold.release()
    Native.release(handle)
  }

  def close(): Unit = {
    hold.release()
    leases.remove(this)
    Native.closeCursor(handle)
  }

  /** Marks what is held as released; the library releases it with the attempt. */
  def expire(): Unit = hold.release()

  private def begin(owner: AnyRef, what: () => String): Unit = {
    moved = leases.move()
    cameBack = wasTaken
    wasTaken = false
    val fresh = new Hold(owner, what)
    hold = fresh
    // The attempt may have ended between the acquisition and the line above, with nobody to tell the new hold.
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

  /** Asks, then waits in slices that look at task kill and interruption. Either withdraws the wait. */
  private def wait(what: () => String, ask: () => Long): Long =
    try {
      // Settings are read by what waits for the budget alone: what need not wait also runs where the stack is nearly full.
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

  /** Whether the task is one of its first attempts, whatever ended those before. A task of a barrier stage would take all others along each time. */
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

/** A leased version's file, as `Native.leasedFile` tells it; of files that keep their names only where they are. */
private[andiron] final case class LeasedFile(path: String, length: Long, device: Long, inode: Long) {
  def isNamed: Boolean = length == LeasedFile.Named
}

private[andiron] object LeasedFile {

  /** In place of a length. */
  val Named: Long = -1L
}

private[andiron] object NativeCursor {
  private val log = LoggerFactory.getLogger(classOf[NativeCursor[_]])

  /** How long a call into the library waits at most, so that a killed task stops within 200 ms. */
  private val SliceMillis = 50L

  /** After so many moves of others a cursor that is read in turn with them counts as one that is not read any more. */
  private val MovesApart = 16L

  /** So many first attempts of a task that is in the way of others are killed, which Spark does not count as failures; a later one fails. */
  private val DeadlockAttempts = 3
}
