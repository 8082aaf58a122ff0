package andiron.internal

/** The operators of steps. */
private[andiron] object StepFunctions {

  final class MapRows[T, U](val handle: StepHandle, val site: StepSite, view: RowView[T], f: T => U) extends StepFunction[T, U] {
    override def apply(rows: Iterator[T], cell: StepCell): Iterator[U] = new GuardedRows.Mapped(rows, cell, view, f)
  }

  final class FlatMapRows[T, U](val handle: StepHandle, val site: StepSite, view: RowView[T], f: T => Iterable[U]) extends StepFunction[T, U] {
    override def apply(rows: Iterator[T], cell: StepCell): Iterator[U] = new GuardedRows.FlatMapped(rows, cell, view, f)
  }

  final class FilterRows[T](val handle: StepHandle, val site: StepSite, view: RowView[T], f: T => Boolean) extends StepFunction[T, T] {
    override def apply(rows: Iterator[T], cell: StepCell): Iterator[T] = new GuardedRows.Filtered(rows, cell, view, f)
  }

  final class CountRows[T](val handle: StepHandle, val site: StepSite) extends StepFunction[T, T] {
    override def apply(rows: Iterator[T], cell: StepCell): Iterator[T] = new GuardedRows.Counted(rows, cell)
  }
}
