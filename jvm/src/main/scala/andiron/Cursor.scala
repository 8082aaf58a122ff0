package andiron

import com.esotericsoftware.kryo.DefaultSerializer

import andiron.internal.cache.{Hold, NativeCursor, OpenCatalog}
import andiron.internal.util.{OfThisProcess, Refusal}

/**
 * A place in a dataset that holds at most one version and moves from one to the next. For one thread at a time.
 *
 * Everything is released when the task ends; `close` does it earlier. Outside any task it must be closed.
 */
@DefaultSerializer(classOf[Refusal])
final class Cursor[V] private[andiron] (native: NativeCursor[V], catalog: OpenCatalog[V], done: () => Unit)
    extends OfThisProcess
    with AutoCloseable {
  private var current: String = _
  private var value: V = _
  private var hold = Hold.none

  /**
   * The version's value, leased until the next call with another version. The version before is released first, then this waits until
   * the new one is loaded and fits the budget. The same version again costs a comparison.
   *
   * Throws UnknownVersionException (nothing is released then), LoadException or SourceException if it cannot be loaded,
   * BudgetException if it never fits, ReleasedException after the end of the task, TaskKilledException if the task is killed meanwhile.
   */
  def advance(version: String): V =
    if (((version eq current) || ((version ne null) && version.equals(current))) && !hold.isReleased) value
    else move(version)

  private def move(version: String): V = {
    val handle = catalog.handleOf(version)
    forget()
    value = native.acquire(handle, this)
    hold = native.held
    current = version
    value
  }

  /** Whether the catalog has `version`, which may be null. */
  def contains(version: String): Boolean = catalog.contains(version)

  /** Releases the version that is held; the cursor can be used on. */
  def release(): Unit = {
    forget()
    native.release()
  }

  /** Releases the version that is held and ends the cursor. Idempotent. */
  override def close(): Unit = {
    forget()
    native.close()
    done()
  }

  private def forget(): Unit = {
    current = null
    value = null.asInstanceOf[V]
    hold = Hold.none
  }
}
