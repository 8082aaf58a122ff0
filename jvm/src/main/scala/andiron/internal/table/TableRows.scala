package andiron.internal.table

import org.apache.spark.sql.{Column, Dataset, Encoder, Row}
import org.apache.spark.sql.Encoders
import org.apache.spark.sql.types.StringType

import andiron.{Table, TableVersion}
import andiron.internal.cache.{AndironErrors, VersionedRows}

/** Joins rows with versions of a table, through Spark's public API only. */
private[andiron] object TableRows {

  /** There is no sort: a lease on a version includes those before it. */
  def map[T, U](rows: Dataset[T], table: Table, version: Column, f: (T, TableVersion) => U, result: Encoder[U]): Dataset[U] = {
    val snapshot = table.snapshot
    if (rows.columns.nonEmpty)
      VersionedRows.withVersion(rows, version).mapPartitions((pairs: Iterator[(T, String)]) => new TableIterator(snapshot, pairs, f): Iterator[U])(result)
    else {
      if (rows.encoder.clsTag.runtimeClass != classOf[Row])
        throw AndironErrors.bad(s"table ${table.uri} is joined to rows of ${rows.encoder.clsTag}, which have no columns: use a DataFrame, or add a column")
      rows.select(version.cast(StringType).as("_2")).as(Encoders.STRING).mapPartitions((versions: Iterator[String]) =>
        new TableIterator(snapshot, versions.map(name => (Row.empty.asInstanceOf[T], name)), f): Iterator[U])(result)
    }
  }
}

/** Applies `f` to rows. The first row opens the cursor, and the end of the rows, or of the task, closes it. */
private[andiron] final class TableIterator[T, U](snapshot: TableSnapshot, rows: Iterator[(T, String)], f: (T, TableVersion) => U) extends Iterator[U] {
  private var cursor: TableCursor = _

  override def hasNext: Boolean = {
    val more = rows.hasNext
    if (!more && cursor != null) cursor.close()
    more
  }

  override def next(): U = {
    val (row, version) = rows.next()
    if (cursor == null) cursor = new TableCursor(snapshot)
    val of = cursor.version(version)
    cursor.reading(f(row, of))
  }
}
