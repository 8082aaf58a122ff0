package andiron

import scala.reflect.ClassTag

import org.apache.spark.andironshim.{MetricsInternals, StepPlanning}
import org.apache.spark.rdd.RDD
import org.apache.spark.sql.{Dataset, Encoder}

import andiron.internal.metrics.{RedactedView, RowView, StepFunction, StepFunctions, StepRDD}
import andiron.internal.util.OfTheDriver

/**
 * The operators of a step for rows of type `T`, and how its failed rows are shown. Made by [[Step.keyed]] and its like.
 *
 * A row whose function throws is dropped, counted and sampled; the job goes on. So is one that the Dataset's encoder cannot make an object of, and
 * one whose result it cannot make a row of. What a function does in a killed task, and errors of the JVM, are not the row's failures. The result keeps the order and the partitions of its input. Streaming datasets are refused.
 */
final class StepRows[T] private[andiron] (val step: Step, view: RowView[T]) extends OfTheDriver(Step.Remedy) {

  /** The row's key, which stands in samples and chooses them. Give one where rows have it: it is shorter than the row and stays the same. */
  def keyed(key: T => Any): StepRows[T] = new StepRows(step, view.copy(key = Some(key)))

  /** How a failed row is shown; else by its `toString`. */
  def describe(text: T => String): StepRows[T] = new StepRows(step, view.copy(describe = Some(text)))

  /** The version of side data that the row was computed with. */
  def version(name: T => String): StepRows[T] = new StepRows(step, view.copy(version = Some(name)))

  /** What a failed row's cause is called: a function of the row and the error. Top causes are counted by it, and by the stack where it is not given. */
  def group(name: (T, Throwable) => Any): StepRows[T] = new StepRows(step, view.copy(group = Some(name)))

  /**
   * What is shown of a text: applied to keys, rows, versions, messages, groups and stacks before they leave the executor. Hashes of keys and rows are
   * keyed by a secret of the application's run.
   */
  def redact(change: String => String): StepRows[T] = new StepRows(step, view.copy(redact = Some(change), secret = step.secret))

  /** Its key, texts and messages are redacted already: by what cannot be called here. */
  private[andiron] def redactedElsewhere(identity: T => String, stack: T => String): StepRows[T] =
    new StepRows(step, view.copy(secret = step.secret, elsewhere = Some(RedactedView(identity, stack))))

  /** `f` of every row. */
  def map[U: Encoder](rows: Dataset[T])(f: T => U): Dataset[U] =
    on(rows, new StepFunctions.MapRows[T, U](step.handle, step.site("map"), view, f))

  /** All that `f` makes of every row. A row of which `f` makes a part before it throws is dropped as a whole. */
  def flatMap[U: Encoder](rows: Dataset[T])(f: T => Iterable[U]): Dataset[U] =
    on(rows, new StepFunctions.FlatMapRows[T, U](step.handle, step.site("flatMap"), view, f))

  /** The rows for which `p` holds. Those for which it does not are neither out nor dropped. */
  def filter(rows: Dataset[T])(p: T => Boolean): Dataset[T] =
    on(rows, new StepFunctions.FilterRows[T](step.handle, step.site("filter"), view, p))(rows.encoder)

  /** The same rows, counted. */
  def count(rows: Dataset[T]): Dataset[T] = on(rows, new StepFunctions.CountRows[T](step.handle, step.site("count"), view))(rows.encoder)

  /** `f` of every row. */
  def map[U: ClassTag](rows: RDD[T])(f: T => U): RDD[U] =
    on(rows, new StepFunctions.MapRows[T, U](step.handle, step.site("map"), view, clean(rows, f)), keepsPartitioning = false)

  /** All that `f` makes of every row, as with Datasets. */
  def flatMap[U: ClassTag](rows: RDD[T])(f: T => Iterable[U]): RDD[U] =
    on(rows, new StepFunctions.FlatMapRows[T, U](step.handle, step.site("flatMap"), view, clean(rows, f)), keepsPartitioning = false)

  /** The rows for which `p` holds, as with Datasets. */
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
