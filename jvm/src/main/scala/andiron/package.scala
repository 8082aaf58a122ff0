import org.apache.spark.sql.{Column, DataFrame, Dataset, Encoder}

import andiron.internal.cache.VersionedRows
import andiron.internal.table.{LookupRows, TableRows}

/**
 * Shared versioned side data for Spark jobs: an executor holds each version in use once, however many tasks it runs.
 *
 * {{{
 * import andiron._
 * val catalog  = VersionedData.catalog(spark, "video-metadata", versions, loader)
 * val features = members.mapWithVersion(catalog, col("metadata_version")) { (row, metadata) => featuresOf(row, metadata) }
 * }}}
 */
package object andiron {

  /** `mapWithVersion` and related operators for every Dataset, and so for DataFrames. */
  implicit final class VersionedDataset[T](private val rows: Dataset[T]) extends AnyVal {

    /**
     * Applies `f` to every row and the value of the version named in the column `version`.
     *
     * Sorts within partitions by version, so that each task holds one version at a time and visits versions in a fixed
     * order. There is no shuffle; within a partition the result is in the order of the versions. A null or unknown
     * version fails the task, or drops the row with `catalog.missing(Missing.Skip)`. `f` must not keep the value beyond
     * the call. Streaming Datasets are rejected.
     */
    def mapWithVersion[V, U: Encoder](catalog: Catalog[V], version: Column)(f: (T, V) => U): Dataset[U] =
      VersionedRows.map(rows, catalog, version, f, implicitly[Encoder[U]])

    /**
     * Applies `f` to every row and the version of the table that is named in the column `version`.
     *
     * A task leases a version with all versions before it, so rows keep their order and name versions in any order. There is
     * neither sort nor shuffle. A null or unknown version fails the task. `f` must not keep the version, or rows that it
     * gives, beyond the call.
     */
    def mapWithVersion[U: Encoder](table: Table, version: Column)(f: (T, TableVersion) => U): Dataset[U] =
      TableRows.map(rows, table, version, f, implicitly[Encoder[U]])

    /**
     * Adds columns of the table to every row: those of the record that has the row's key in the version that the row names.
     * They are null if there is no such record, or if version or key is null. There is neither sort nor shuffle; rows name
     * versions in any order. The versions are those that the table has now.
     *
     * @param on columns of the rows that have the names of the key columns. Their types are those of the key, or widen to
     *   them; others are a TableException
     * @param version a text; other values are cast to one
     * @param select columns of the newest version; empty: all but the key. A version that lacks one gives null
     * @param missing what becomes of a row whose version is not null and not in the table
     */
    def lookup(table: Table, on: Seq[String], version: Column, select: Seq[String] = Nil, missing: Missing = Missing.Fail): DataFrame =
      LookupRows.lookup(rows, table, LookupRows.same(on), version, select, missing)

    /** As the other `lookup`, with the key column for each column of the rows. */
    def lookup(table: Table, on: Map[String, String], version: Column): DataFrame = lookup(table, on, version, Nil, Missing.Fail)

    /** As the other `lookup`, with the key column for each column of the rows. */
    def lookup(table: Table, on: Map[String, String], version: Column, select: Seq[String], missing: Missing): DataFrame =
      LookupRows.lookup(rows, table, on.toSeq, version, select, missing)

    /**
     * As `lookup`, in the version that is valid at the row's `time`, a timestamp: the one with the latest `validFrom` that
     * is not after it, of equal ones the one published last. Before the first one the columns are null. Versions without
     * `validFrom` take no part.
     */
    def lookupAsOf(table: Table, on: Seq[String], time: Column, select: Seq[String] = Nil): DataFrame =
      LookupRows.lookupAsOf(rows, table, LookupRows.same(on), time, select)

    /** As the other `lookupAsOf`, with the key column for each column of the rows. */
    def lookupAsOf(table: Table, on: Map[String, String], time: Column, select: Seq[String]): DataFrame =
      LookupRows.lookupAsOf(rows, table, on.toSeq, time, select)

    /** `mapPartitions` with a cursor for each partition that is not empty, closed at the end of the partition. */
    def mapPartitionsWithCursor[V, U: Encoder](catalog: Catalog[V])(f: (Iterator[T], Cursor[V]) => Iterator[U]): Dataset[U] =
      VersionedRows.mapPartitions(rows, catalog, f, implicitly[Encoder[U]])
  }
}
