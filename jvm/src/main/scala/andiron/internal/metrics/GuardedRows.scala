package andiron.internal.metrics

import scala.util.control.NonFatal

import org.apache.spark.{TaskContext, TaskKilledException}
import org.apache.spark.andironshim.{MetricsInternals, StepEnds}

/**
 * Applies a step's operator to the rows of one partition. A row that cannot be read, whose function throws, or whose
 * result cannot be written is counted, sampled and left out; exceptions of the input itself pass through. `cell` is
 * null if nothing is counted.
 */
private[andiron] abstract class GuardedRows[I, T, U, O](rows: Iterator[I], cell: StepCell, view: RowView[T], ends: StepEnds[I, T, U, O]) extends Iterator[O] {

  /** Computes and writes the result of `row`. Returns whether `give` has a row. Any exception is the row's failure. */
  protected def take(row: T): Boolean

  /** The row made by the last `take`. */
  protected def give(): O

  private val interrupts = new Interrupts(TaskContext.get())
  private var isReady = false

  override final def hasNext: Boolean = isReady || advance()

  override final def next(): O = {
    if (!hasNext) Iterator.empty.next()
    isReady = false
    give()
  }

  /** Whether the last `take` made more rows; called when one was given. */
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

  private def guarded(row: I): Boolean = {
    if (cell != null) cell.enter()
    var of: T = null.asInstanceOf[T]
    var isRead = false
    val kept =
      try {
        of = ends.read(row)
        isRead = true
        take(of)
      } catch {
        case e: TaskFault => throw e.getCause
        case e: Throwable if GuardedRows.isRowFailure(e, interrupts) =>
          interrupts.clear()
          if (cell != null) {
            if (isRead) cell.drop(of, e, view) else cell.dropUnread(ends.columns(row), e, view)
          }
          false
      } finally if (cell != null) cell.leave()
    if (Thread.currentThread.isInterrupted) interrupts.clear()
    kept
  }
}

private[andiron] object GuardedRows {

  /**
   * Whether an error belongs to the row. False if the task is being killed, its input is lost, or the JVM is failing.
   */
  def isRowFailure(error: Throwable, interrupts: Interrupts): Boolean = error match {
    case _: TaskKilledException  => false
    case _: StackOverflowError   => true
    case _: InterruptedException => interrupts.areRows
    case NonFatal(e)             => !(interrupts.isKilled || Thread.currentThread.isInterrupted && !interrupts.areRows || MetricsInternals.isFetchFailure(e))
    case _                       => false
  }

  final class Mapped[I, T, U, O](rows: Iterator[I], cell: StepCell, view: RowView[T], ends: StepEnds[I, T, U, O], f: T => U)
      extends GuardedRows[I, T, U, O](rows, cell, view, ends) {
    private var made: O = _
    override protected def take(row: T): Boolean = {
      made = ends.write(f(row))
      true
    }
    override protected def give(): O = made
  }

  final class Filtered[I, T, O](rows: Iterator[I], cell: StepCell, view: RowView[T], ends: StepEnds[I, T, T, O], f: T => Boolean)
      extends GuardedRows[I, T, T, O](rows, cell, view, ends) {
    private var kept: O = _
    override protected def take(row: T): Boolean = f(row) && {
      kept = ends.write(row)
      true
    }
    override protected def give(): O = kept
  }

  /** All results of one row are collected and written before the first is given, so that a row fails as a whole. */
  final class FlatMapped[I, T, U, O](rows: Iterator[I], cell: StepCell, view: RowView[T], ends: StepEnds[I, T, U, O], f: T => Iterable[U])
      extends GuardedRows[I, T, U, O](rows, cell, view, ends) {
    private val made = new java.util.ArrayList[O]
    private var at = 0
    private var count = 0

    override protected def take(row: T): Boolean = {
      at = 0
      count = 0
      made.clear()
      val all = f(row).iterator
      while (all.hasNext) {
        val next = all.next()
        // Only the last row may stay in the buffer that the next write reuses.
        if (!made.isEmpty) made.set(made.size - 1, ends.keep(made.get(made.size - 1)))
        made.add(ends.write(next))
      }
      count = made.size
      count > 0
    }

    override protected def give(): O = {
      at += 1
      made.get(at - 1)
    }

    override protected def hasMore: Boolean = at < count
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

/** Interrupts of the thread that evaluates a partition of `context`'s task; `context` is null outside tasks. */
private[andiron] final class Interrupts(context: TaskContext) {

  /**
   * The task is being killed, or has ended while one of its threads continues. Spark sets this before it interrupts.
   */
  def isKilled: Boolean = context != null && (context.isInterrupted() || context.isCompleted())

  /** Whether an interrupt must come from the row's function. Outside tasks its origin is unknown. */
  def areRows: Boolean = context != null && !isKilled

  /** Clears the function's own interrupt so that the next row does not see it. The interrupt of a kill stays. */
  def clear(): Unit = if (areRows && Thread.interrupted() && !areRows) Thread.currentThread.interrupt()
}
