package andiron.internal.composition

import org.apache.spark.andironshim.StepEnds

import andiron.internal.metrics.{GuardedRows, RowView, StepCell, StepFunction, StepHandle, StepSite}

/** Operators of steps whose function reads the version of side data that a row names. */
private[andiron] object VersionedSteps {

  /** Applies `f` to each row and its version: pairs of a row and the name of a version. */
  final class MapRows[T, V, U](val handle: StepHandle, val site: StepSite, view: RowView[(T, String)], side: SideData[V], f: (T, V) => U)
      extends StepFunction[(T, String), U] {
    override def over[I, O](rows: Iterator[I], cell: StepCell, ends: StepEnds[I, (T, String), U, O]): Iterator[O] = {
      val use = side.open()
      val mapped = new GuardedRows.Mapped(rows, cell, view, ends, (pair: (T, String)) => use(pair._2, (value: V) => f(pair._1, value)))
      new Iterator[O] {
        override def hasNext: Boolean = {
          val more = mapped.hasNext
          if (!more) use.close()
          more
        }
        override def next(): O = mapped.next()
      }
    }
  }

  /** The presentation of failed rows with their version, from that of the rows. */
  def view[T](rows: RowView[T]): RowView[(T, String)] = RowView[(T, String)](
    rows.key.map(key => (pair: (T, String)) => key(pair._1)),
    Some((pair: (T, String)) => rows.recordOf(pair._1)),
    Some((pair: (T, String)) => rows.version.fold(pair._2)(_(pair._1))),
    rows.redact,
    rows.group.map(group => (pair: (T, String), error: Throwable) => group(pair._1, error)),
    rows.secret)
}
