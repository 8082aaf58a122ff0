package andiron.internal.cache

import org.apache.spark.sql.{Column, Dataset, Encoder, Encoders, Row}
import org.apache.spark.sql.functions.{col, struct}
import org.apache.spark.sql.types.{StringType, StructType}

import andiron.{Catalog, Cursor, Missing}

/** Joins rows with versions, through Spark's public API only. */
private[andiron] object VersionedRows {

  def map[T, V, U](rows: Dataset[T], catalog: Catalog[V], version: Column, f: (T, V) => U, result: Encoder[U]): Dataset[U] = {
    if (rows.columns.isEmpty) {
      requireBatch(rows, catalog)
      catalog.requireOpen()
      ofVersions(rows, catalog, version, f, result)
    } else
      sorted(rows, catalog, version)
        .mapPartitions((pairs: Iterator[(T, String)]) => new VersionedIterator(catalog, pairs, f): Iterator[U])(result)
  }

  /** Each row with its version, sorted by version within partitions. */
  private[andiron] def sorted[T](rows: Dataset[T], catalog: Catalog[_], version: Column): Dataset[(T, String)] = {
    requireBatch(rows, catalog)
    catalog.requireOpen()
    // The sort must stay: Spark removes one below deterministic expressions, but not below a typed mapPartitions.
    withVersion(rows, version).sortWithinPartitions(col("_2"))
  }

  /** As `map`, for rows without columns, from which Spark cannot make pairs. */
  private def ofVersions[T, V, U](rows: Dataset[T], catalog: Catalog[V], version: Column, f: (T, V) => U, result: Encoder[U]): Dataset[U] = {
    if (rows.encoder.clsTag.runtimeClass != classOf[Row])
      throw AndironErrors.bad(s"dataset '${catalog.dataset}' is joined to rows of ${rows.encoder.clsTag}, which have no columns: use a DataFrame, or add a column")
    rows
      .select(version.cast(StringType).as("_2"))
      .sortWithinPartitions(col("_2"))
      .as(Encoders.STRING)
      .mapPartitions((versions: Iterator[String]) =>
        new VersionedIterator(catalog, versions.map(version => (Row.empty.asInstanceOf[T], version)), f): Iterator[U])(result)
  }

  def mapPartitions[T, V, U](
      rows: Dataset[T], catalog: Catalog[V], f: (Iterator[T], Cursor[V]) => Iterator[U], result: Encoder[U]): Dataset[U] = {
    requireBatch(rows, catalog)
    catalog.requireOpen()
    catalog.requireNoSkip("mapPartitionsWithCursor")
    rows.mapPartitions { (partition: Iterator[T]) =>
      if (partition.isEmpty) Iterator.empty
      else {
        val cursor = catalog.cursor()
        new ClosingIterator(f(partition, cursor), cursor)
      }
    }(result)
  }

  private def requireBatch(rows: Dataset[_], catalog: Catalog[_]): Unit =
    if (rows.isStreaming)
      throw AndironErrors.bad(s"dataset '${catalog.dataset}' cannot be joined to a streaming Dataset, which cannot be sorted by version: " +
        "use writeStream.foreachBatch, and mapWithVersion on each batch")

  /** Each row with its version, in columns `_1` and `_2`. */
  private[andiron] def withVersion[T](rows: Dataset[T], version: Column): Dataset[(T, String)] = {
    val pair = Encoders.tuple(rows.encoder, Encoders.STRING)
    val row = if (isStruct(rows.encoder, pair)) struct(col("*")) else col(s"`${rows.columns.head.replace("`", "``")}`")
    rows.select(row.as("_1"), version.cast(StringType).as("_2")).as(pair)
  }

  /** Whether a `T` consists of several columns, rather than of the value of a single column. */
  private def isStruct(row: Encoder[_], pair: Encoder[_]): Boolean = pair.schema("_1").dataType match {
    case nested: StructType => nested.fieldNames.sameElements(row.schema.fieldNames)
    case _                  => false
  }
}

/** Closes the cursor when the iterator is exhausted. */
private[andiron] final class ClosingIterator[U](rows: Iterator[U], cursor: Cursor[_]) extends Iterator[U] {
  private var isDone = false

  override def hasNext: Boolean = {
    if (!isDone && !rows.hasNext) {
      isDone = true
      cursor.close()
    }
    !isDone
  }

  override def next(): U = if (hasNext) rows.next() else Iterator.empty.next()
}

/**
 * Applies `f` to rows sorted by version. The first row opens the cursor, and the end of the rows closes it. If the
 * partition is not read to its end, the cursor keeps the last version until another cursor of the task needs the space
 * or the task ends.
 */
private[andiron] final class VersionedIterator[T, V, U](catalog: Catalog[V], rows: Iterator[(T, String)], f: (T, V) => U) extends Iterator[U] {
  private val skips = catalog.policyForMissing == Missing.Skip
  private val inUse = new InUse
  private var cursor: Cursor[V] = _
  private var pending: (T, String) = _

  override def hasNext: Boolean = {
    while (pending == null && rows.hasNext) {
      if (cursor == null) cursor = catalog.cursor(ordered = true, inUse)
      val row = rows.next()
      if (!skips || cursor.contains(row._2)) pending = row else catalog.countSkipped()
    }
    if (pending == null && cursor != null) cursor.close()
    pending != null
  }

  override def next(): U = {
    if (!hasNext) Iterator.empty.next()
    val (row, version) = pending
    pending = null
    val entered = inUse.enter()
    try f(row, cursor.advance(version))
    finally if (entered) inUse.leave()
  }
}
