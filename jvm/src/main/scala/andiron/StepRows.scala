package andiron

import scala.reflect.ClassTag

import org.apache.spark.andironshim.{MetricsInternals, StepPlanning}
import org.apache.spark.rdd.RDD
import org.apache.spark.sql.{Column, DataFrame, Dataset, Encoder, Row}

import andiron.internal.cache.{AndironErrors, VersionedRows}
import andiron.internal.composition.{SideData, StepLookups, VersionedSteps}
import andiron.internal.metrics.{RedactedView, RowView, StepFunction, StepFunctions, StepRDD}
import andiron.internal.table.LookupRows
import andiron.internal.util.OfTheDriver

/**
 * A step's operators for rows of type `T`, with the presentation of its failed rows. Made by [[Step.keyed]] and similar
 * methods.
 *
 * A row is dropped, counted and sampled if its function throws, if the Dataset's encoder cannot make an object of it,
 * or if the encoder cannot make a row of the result; the job continues. Exceptions in a killed task and errors of the
 * JVM do not count as failures of a row. The result keeps the order and the partitions of its input. Streaming Datasets
 * are rejected.
 */
final class StepRows[T] private[andiron] (val step: Step, view: RowView[T]) extends OfTheDriver(Step.Remedy) {

  /**
   * The row's key, shown in samples and used to select them. Prefer a key if rows have one: it is shorter than the row
   * and stable.
   */
  def keyed(key: T => Any): StepRows[T] = new StepRows(step, view.copy(key = Some(key)))

  /** Text for a failed row; the default is its `toString`. */
  def describe(text: T => String): StepRows[T] = new StepRows(step, view.copy(describe = Some(text)))

  /** The side-data version used to compute the row. */
  def version(name: T => String): StepRows[T] = new StepRows(step, view.copy(version = Some(name)))

  /**
   * Group of a failed row, from the row and the error. Top causes are counted by group, or by stack if there is no
   * group.
   */
  def group(name: (T, Throwable) => Any): StepRows[T] = new StepRows(step, view.copy(group = Some(name)))

  /**
   * Redacts texts: `change` is applied to keys, rows, versions, messages, groups and stacks before they leave the
   * executor. Hashes of keys and rows are keyed with a secret of the application's run.
   */
  def redact(change: String => String): StepRows[T] = new StepRows(step, view.copy(redact = Some(change), secret = step.secret))

  /** For rows whose key, texts and messages were already redacted elsewhere, as in a Python worker. */
  private[andiron] def redactedElsewhere(identity: T => String, stack: T => String): StepRows[T] =
    new StepRows(step, view.copy(secret = step.secret, elsewhere = Some(RedactedView(identity, stack))))

  /** Applies `f` to every row. */
  def map[U: Encoder](rows: Dataset[T])(f: T => U): Dataset[U] =
    on(rows, new StepFunctions.MapRows[T, U](step.handle, step.site("map"), view, f))

  /** Concatenates the results of `f` for all rows. If `f` throws midway, its row is dropped as a whole. */
  def flatMap[U: Encoder](rows: Dataset[T])(f: T => Iterable[U]): Dataset[U] =
    on(rows, new StepFunctions.FlatMapRows[T, U](step.handle, step.site("flatMap"), view, f))

  /** The rows that satisfy `p`. Other rows count neither as out nor as dropped. */
  def filter(rows: Dataset[T])(p: T => Boolean): Dataset[T] =
    on(rows, new StepFunctions.FilterRows[T](step.handle, step.site("filter"), view, p))(rows.encoder)

  /** The same rows, counted. */
  def count(rows: Dataset[T]): Dataset[T] = on(rows, new StepFunctions.CountRows[T](step.handle, step.site("count"), view))(rows.encoder)

  /**
   * Applies `f` to every row and the value of the version named in the column `version`, see
   * [[VersionedDataset.mapWithVersion]].
   *
   * A row whose version is null or unknown is dropped, counted and sampled with that name, whatever `catalog.missing`
   * says. A version that cannot be loaded, leased or read fails the task: no row is dropped for it.
   */
  def mapWithVersion[V, U: Encoder](rows: Dataset[T], catalog: Catalog[V], version: Column)(f: (T, V) => U): Dataset[U] = {
    requireColumns(rows)
    withVersions(VersionedRows.sorted(rows, catalog, version), new SideData.OfCatalog(catalog), f)
  }

  /**
   * Applies `f` to every row and the version of the table that is named in the column `version`, without a sort. Unknown
   * versions and failed loads are treated as with catalogs. If `f` throws for a key that the version has not, the row is
   * dropped: `step.mapWithVersion(rows, table, col("day"))((row, version) => version.get(row.key).get.getInt(1))`.
   */
  def mapWithVersion[U: Encoder](rows: Dataset[T], table: Table, version: Column)(f: (T, TableVersion) => U): Dataset[U] = {
    requireColumns(rows)
    withVersions(VersionedRows.withVersion(rows, version), new SideData.OfTable(table.snapshot), f)
  }

  /** `on` are pairs of a column of the rows and a key column; `T` is Row. */
  private[andiron] def lookupOn(rows: DataFrame, table: Table, on: Seq[(String, String)], version: Column, select: Seq[String]): DataFrame = {
    val of = StepLookups.view(view.asInstanceOf[RowView[Row]], rows.columns.length)
    StepLookups.lookup(rows, table, on, version, select) { (looked, check) =>
      new StepRows[Row](step, of).on(looked, new StepFunctions.MapRows[Row, Row](step.handle, step.site("lookup"), of, check))(StepLookups.encoder(looked))
    }
  }

  private def withVersions[V, U: Encoder](pairs: Dataset[(T, String)], side: SideData[V], f: (T, V) => U): Dataset[U] = {
    val of = VersionedSteps.view(view)
    new StepRows(step, of).on(pairs, new VersionedSteps.MapRows[T, V, U](step.handle, step.site("mapWithVersion"), of, side, f))
  }

  private def requireColumns(rows: Dataset[T]): Unit =
    if (rows.columns.isEmpty) throw AndironErrors.bad(s"$step has rows without columns, which name no version: add a column")

  /** Applies `f` to every row. */
  def map[U: ClassTag](rows: RDD[T])(f: T => U): RDD[U] =
    on(rows, new StepFunctions.MapRows[T, U](step.handle, step.site("map"), view, clean(rows, f)), keepsPartitioning = false)

  /** Concatenates the results of `f` for all rows, as with Datasets. */
  def flatMap[U: ClassTag](rows: RDD[T])(f: T => Iterable[U]): RDD[U] =
    on(rows, new StepFunctions.FlatMapRows[T, U](step.handle, step.site("flatMap"), view, clean(rows, f)), keepsPartitioning = false)

  /** The rows that satisfy `p`, as with Datasets. */
  def filter(rows: RDD[T])(p: T => Boolean): RDD[T] =
    on(rows, new StepFunctions.FilterRows[T](step.handle, step.site("filter"), view, clean(rows, p)), keepsPartitioning = true)(MetricsInternals.classTag(rows))

  /** The same rows, counted. */
  def count(rows: RDD[T]): RDD[T] =
    on(rows, new StepFunctions.CountRows[T](step.handle, step.site("count"), view), keepsPartitioning = true)(MetricsInternals.classTag(rows))

  private def clean[F <: AnyRef](rows: RDD[T], f: F): F = MetricsInternals.clean(rows.sparkContext, f)

  private def on[U: ClassTag](rows: RDD[T], f: StepFunction[T, U], keepsPartitioning: Boolean): RDD[U] =
    if (step.application.isEmpty) rows.mapPartitions(f, keepsPartitioning) else new StepRDD(rows, f, keepsPartitioning)

  private def on[U: Encoder](rows: Dataset[T], f: StepFunction[T, U]): Dataset[U] = {
    step.requireOpen()
    if (rows.isStreaming)
      throw new SettingException(ErrorCode.BadArgument, s"step '${step.name}' cannot count a streaming Dataset: use foreachBatch, and the step on each batch", null)
    StepPlanning.install(rows.sparkSession)
    rows.mapPartitions(f)
  }
}

object StepRows {

  /** Operators for DataFrames. */
  implicit final class OfFrames(private val step: StepRows[Row]) extends AnyVal {

    /**
     * The rows whose key has a record in the version that they name, with columns of that record; see
     * [[VersionedDataset.lookup]]. A row is dropped, counted and sampled if its version is null or unknown, or if the version
     * has no record of its key (a NoSuchElementException).
     */
    def lookup(rows: DataFrame, table: Table, on: Seq[String], version: Column, select: Seq[String] = Nil): DataFrame =
      step.lookupOn(rows, table, LookupRows.same(on), version, select)
  }
}
