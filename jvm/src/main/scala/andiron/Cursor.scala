package andiron

import com.esotericsoftware.kryo.DefaultSerializer

import andiron.internal.cache.{Hold, NativeCursor, OpenCatalog}
import andiron.internal.util.{OfThisProcess, Refusal}

/**
 * A position in a dataset that holds at most one version at a time. For one thread at a time.
 *
 * The end of the task releases everything; `close` does so earlier. Outside tasks you must close the cursor.
 */
@DefaultSerializer(classOf[Refusal])
final class Cursor[V] private[andiron] (native: NativeCursor[V], catalog: OpenCatalog[V], done: () => Unit)
    extends OfThisProcess
    with AutoCloseable {
  private var current: String = _
  private var value: V = _
  private var hold = Hold.none

  /**
   * The version's value, leased until the next call with another version. Releases the previous version, then waits
   * until the new one is loaded and fits the budget. The same version again costs one comparison.
   *
   * Throws UnknownVersionException (and releases nothing), LoadException or SourceException if the version cannot be
   * loaded, BudgetException if it does not fit the budget, ReleasedException after the end of the task, or
   * TaskKilledException if the task is killed while waiting.
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

  /** Releases the held version; the cursor stays usable. */
  def release(): Unit = {
    forget()
    native.release()
  }

  /** Releases the held version and ends the cursor. Idempotent. */
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
