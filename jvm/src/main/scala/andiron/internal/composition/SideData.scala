package andiron.internal.composition

import scala.util.control.NonFatal

import org.apache.spark.TaskKilledException

import andiron.{AndironException, Catalog, Cursor, SettingException, TableVersion, UnknownVersionException}
import andiron.internal.cache.InUse
import andiron.internal.metrics.TaskFault
import andiron.internal.table.{TableCursor, TableSnapshot}

/** Versions of side data that the rows of a step name. */
private[andiron] sealed abstract class SideData[V] extends Serializable {

  /** Opens it for the rows of one partition. */
  def open(): SideUse[V]
}

private[andiron] object SideData {
  final class OfCatalog[V](catalog: Catalog[V]) extends SideData[V] {
    override def open(): SideUse[V] = new SideUse[V] {
      private val inUse = new InUse
      private var cursor: Cursor[V] = _

      override protected def using[U](name: String, f: (() => V) => U): U = {
        if (cursor == null) cursor = catalog.cursor(ordered = true, inUse)
        val entered = inUse.enter()
        try f(() => cursor.advance(name))
        finally if (entered) inUse.leave()
      }

      override def close(): Unit = if (cursor != null) cursor.close()
    }
  }

  final class OfTable(snapshot: TableSnapshot) extends SideData[TableVersion] {
    override def open(): SideUse[TableVersion] = new SideUse[TableVersion] {
      private var cursor: TableCursor = _

      override protected def using[U](name: String, f: (() => TableVersion) => U): U = {
        if (cursor == null) cursor = new TableCursor(snapshot)
        cursor.reading(f(() => cursor.version(name)))
      }

      override def close(): Unit = if (cursor != null) cursor.close()
    }
  }
}

/**
 * Leases versions for the rows of one partition. An unknown version is the failure of its row; a version that cannot be
 * loaded, leased or read is that of the task, as a [[TaskFault]]. One thread.
 */
private[andiron] abstract class SideUse[V] extends AutoCloseable {

  /** Calls `f` with the function that leases the version `name`. */
  protected def using[U](name: String, f: (() => V) => U): U

  /** `f` of the version `name`. */
  final def apply[U](name: String, f: V => U): U = {
    var isLeased = false
    try using(name, (lease: () => V) => {
        val value = lease()
        isLeased = true
        f(value)
      })
    catch { case e: Throwable if SideUse.isOfTask(e, isLeased) => throw new TaskFault(e) }
  }

  /** Ends the leases. Idempotent. */
  override def close(): Unit
}

private object SideUse {
  def isOfTask(error: Throwable, isLeased: Boolean): Boolean = error match {
    case _: UnknownVersionException | _: TaskKilledException => false
    case _: SettingException | _: InterruptedException       => !isLeased
    case _: AndironException                                 => true
    case NonFatal(_) | _: StackOverflowError                 => !isLeased
    case _                                                   => false
  }
}
