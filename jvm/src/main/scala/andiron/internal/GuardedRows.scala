package andiron.internal

import scala.util.control.NonFatal

import org.apache.spark.{TaskContext, TaskKilledException}
import org.apache.spark.andironshim.MetricsInternals

/**
 * The rows of a step's operator over those of one partition. A row whose function throws is counted, sampled and left out; what the input
 * itself throws passes through. `cell` is null where nothing is counted.
 */
private[andiron] abstract class GuardedRows[T, U](rows: Iterator[T], cell: StepCell, view: RowView[T]) extends Iterator[U] {

  /** Computes what `row` becomes. Returns whether there is a row for `give`. Whatever it throws is the row's failure. */
  protected def take(row: T): Boolean

  /** The row that the last `take` made. */
  protected def give(): U

  private var isReady = false

  override final def hasNext: Boolean = isReady || advance()

  override final def next(): U = {
    if (!hasNext) Iterator.empty.next()
    isReady = false
    give()
  }

  /** Called when what `take` made is used up; a subclass with more rows of it says so here. */
  protected def hasMore: Boolean = false

  private def advance(): Boolean = {
    if (hasMore) {
      isReady = true
      if (cell != null) cell.out += 1
    }
    while (!isReady && rows.hasNext) {
      val row = rows.next()
      if (cell != null) cell.in += 1
      isReady = guarded(row)
      if (isReady && cell != null) cell.out += 1
    }
    if (!isReady && cell != null) cell.complete()
    isReady
  }

  private def guarded(row: T): Boolean = {
    if (cell != null) cell.enter()
    try take(row)
    catch {
      case e: Throwable if GuardedRows.isRowFailure(e) =>
        if (cell != null) cell.drop(row, e, view)
        false
    } finally if (cell != null) cell.leave()
  }
}

private[andiron] object GuardedRows {

  /** Whether an error belongs to the row: not if the task is being killed, its input is lost, or the JVM is in trouble. */
  def isRowFailure(error: Throwable): Boolean = error match {
    case _: TaskKilledException => false
    case _: StackOverflowError  => true
    case NonFatal(e)            => !isInterrupted && !MetricsInternals.isFetchFailure(e)
    case _                      => false
  }

  private def isInterrupted: Boolean = {
    val context = TaskContext.get()
    Thread.currentThread().isInterrupted || (context != null && context.isInterrupted())
  }

  final class Mapped[T, U](rows: Iterator[T], cell: StepCell, view: RowView[T], f: T => U) extends GuardedRows[T, U](rows, cell, view) {
    private var made: U = _
    override protected def take(row: T): Boolean = {
      made = f(row)
      true
    }
    override protected def give(): U = made
  }

  final class Filtered[T](rows: Iterator[T], cell: StepCell, view: RowView[T], f: T => Boolean) extends GuardedRows[T, T](rows, cell, view) {
    private var kept: T = _
    override protected def take(row: T): Boolean = {
      kept = row
      f(row)
    }
    override protected def give(): T = kept
  }

  /** What `f` makes of one row is gathered before any of it is given: a row fails as a whole. */
  final class FlatMapped[T, U](rows: Iterator[T], cell: StepCell, view: RowView[T], f: T => Iterable[U])
      extends GuardedRows[T, U](rows, cell, view) {
    private var made: Iterator[U] = Iterator.empty
    override protected def take(row: T): Boolean = {
      made = f(row).toVector.iterator
      made.hasNext
    }
    override protected def give(): U = made.next()
    override protected def hasMore: Boolean = made.hasNext
  }

  final class Counted[T](rows: Iterator[T], cell: StepCell) extends Iterator[T] {
    override def hasNext: Boolean = {
      val more = rows.hasNext
      if (!more && cell != null) cell.complete()
      more
    }
    override def next(): T = {
      val row = rows.next()
      if (cell != null) {
        cell.in += 1
        cell.out += 1
      }
      row
    }
  }
}
