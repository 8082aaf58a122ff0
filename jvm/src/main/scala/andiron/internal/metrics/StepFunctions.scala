package andiron.internal.metrics

import org.apache.spark.andironshim.StepEnds

/** The operators of steps. */
private[andiron] object StepFunctions {

  final class MapRows[T, U](val handle: StepHandle, val site: StepSite, view: RowView[T], f: T => U) extends StepFunction[T, U] {
    override def over[I, O](rows: Iterator[I], cell: StepCell, ends: StepEnds[I, T, U, O]): Iterator[O] = new GuardedRows.Mapped(rows, cell, view, ends, f)
  }

  final class FlatMapRows[T, U](val handle: StepHandle, val site: StepSite, view: RowView[T], f: T => Iterable[U]) extends StepFunction[T, U] {
    override def over[I, O](rows: Iterator[I], cell: StepCell, ends: StepEnds[I, T, U, O]): Iterator[O] = new GuardedRows.FlatMapped(rows, cell, view, ends, f)
  }

  final class FilterRows[T](val handle: StepHandle, val site: StepSite, view: RowView[T], f: T => Boolean) extends StepFunction[T, T] {
    override def over[I, O](rows: Iterator[I], cell: StepCell, ends: StepEnds[I, T, T, O]): Iterator[O] = new GuardedRows.Filtered(rows, cell, view, ends, f)
  }

  final class CountRows[T](val handle: StepHandle, val site: StepSite, view: RowView[T]) extends StepFunction[T, T] {
    // Rows that are neither deserialized nor serialized cannot fail.
    override def over[I, O](rows: Iterator[I], cell: StepCell, ends: StepEnds[I, T, T, O]): Iterator[O] =
      if ((ends: AnyRef) eq SameEnds) new GuardedRows.Counted(rows, cell).asInstanceOf[Iterator[O]]
      else new GuardedRows.Mapped(rows, cell, view, ends, (row: T) => row)
  }
}

/** The conversions for an RDD: its elements are the functions' inputs and results. */
private[andiron] object SameEnds extends StepEnds[Any, Any, Any, Any] {
  override def read(row: Any): Any = row
  override def write(made: Any): Any = made
  override def keep(row: Any): Any = row
  override def columns(row: Any): Seq[(String, Any)] = Nil

  def of[T, U]: StepEnds[T, T, U, U] = asInstanceOf[StepEnds[T, T, U, U]]
}
