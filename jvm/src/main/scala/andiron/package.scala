import org.apache.spark.sql.{Column, Dataset, Encoder}

import andiron.internal.cache.VersionedRows
import andiron.internal.table.TableRows

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

    /** `mapPartitions` with a cursor for each partition that is not empty, closed at the end of the partition. */
    def mapPartitionsWithCursor[V, U: Encoder](catalog: Catalog[V])(f: (Iterator[T], Cursor[V]) => Iterator[U]): Dataset[U] =
      VersionedRows.mapPartitions(rows, catalog, f, implicitly[Encoder[U]])
  }
}
