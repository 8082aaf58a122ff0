import org.apache.spark.sql.{Column, Dataset, Encoder}

import andiron.internal.cache.VersionedRows

/**
 * Shared versioned side data for Spark jobs: each version that is in use is in an executor once, whatever the number of its tasks.
 *
 * {{{
 * import andiron._
 * val catalog  = VersionedData.catalog(spark, "video-metadata", versions, loader)
 * val features = members.mapWithVersion(catalog, col("metadata_version")) { (row, metadata) => featuresOf(row, metadata) }
 * }}}
 */
package object andiron {

  /** `mapWithVersion` and its like on every Dataset; a DataFrame is a Dataset of Rows. */
  implicit final class VersionedDataset[T](private val rows: Dataset[T]) extends AnyVal {

    /**
     * `f` of every row and the value of the version that the column `version` names.
     *
     * Sorts within partitions by version, so that each task holds one version at a time and goes through them in one order. Nothing is
     * shuffled; the order of the result within a partition is that of the versions. A null or unknown version fails the task, or drops
     * the row if `catalog.missing(Missing.Skip)` is used. `f` must not keep the value beyond the call. Streaming datasets are refused.
     */
    def mapWithVersion[V, U: Encoder](catalog: Catalog[V], version: Column)(f: (T, V) => U): Dataset[U] =
      VersionedRows.map(rows, catalog, version, f, implicitly[Encoder[U]])

    /** `mapPartitions` with a cursor that is closed at the end of each partition. The cursor is opened when `f` first asks for it. */
    def mapPartitionsWithCursor[V, U: Encoder](catalog: Catalog[V])(f: (Iterator[T], Cursor[V]) => Iterator[U]): Dataset[U] =
      VersionedRows.mapPartitions(rows, catalog, f, implicitly[Encoder[U]])
  }
}
