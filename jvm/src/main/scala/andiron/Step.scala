package andiron

import scala.reflect.ClassTag

import org.apache.spark.andironshim.MetricsInternals
import org.apache.spark.rdd.RDD
import org.apache.spark.sql.{Column, DataFrame, Dataset, Encoder, Row, SparkSession}
import org.slf4j.LoggerFactory

import andiron.internal.metrics.{FailureFrame, HashSecret, MetricsApplication, RowView, SampleBounds, SampleLimits, StepAccumulator, StepCell, StepHandle, StepReceiver, StepSite}
import andiron.internal.table.LookupRows
import andiron.internal.util.{CallSite, OfTheDriver}

/**
 * A named part of a pipeline that groups operators and counters. Made on the driver; `close()` it when none of its
 * jobs will run any more. Thread-safe.
 *
 * {{{
 * val step = Step(spark, "historical-data")
 * val misses = step.counter("cache-misses")
 * val rows = step.map(members) { member => if (...) misses.increment(); historyOf(member) }
 * }}}
 *
 * Counts are exact even if Spark recomputes rows for retries, lost shuffles, lost cached blocks, sampling and further
 * actions; where they cannot be exact, the figures say so. Without the plugin or the native library, the operators
 * return the same rows, and nothing is counted.
 */
final class Step private (
    val name: String, private[andiron] val application: Option[MetricsApplication], session: SparkSession, limits: SampleLimits)
    extends OfTheDriver(Step.Remedy)
    with AutoCloseable {
  private val id = Step.ids.incrementAndGet()
  private val context = session.sparkContext
  private val receiver = new StepReceiver {
    override def receive(cell: Array[Byte]): Unit = application.foreach(_.receive(cell): Unit)
  }
  private val accumulator = new StepAccumulator(receiver)
  // Without those of StepCell.Judged, which the core knows.
  private var counters = StepCell.BuiltIn.drop(StepCell.Judged)
  @volatile private var isOpen = true

  private[andiron] val handle = new StepHandle(id, name, accumulator, limits, application.nonEmpty)
  private val plain = new StepRows[Any](this, RowView.plain)

  private def open(): Unit = {
    MetricsInternals.register(context, accumulator)
    application.foreach(_.add(this))
    declare()
  }

  /** The counter `name`; repeated calls return the same counter. */
  def counter(name: String): StepCounter = synchronized {
    requireOpen()
    if (StepCell.BuiltIn.contains(name) || name.isEmpty)
      throw new SettingException(ErrorCode.BadArgument, s"a counter of step '${this.name}' cannot be called '$name': choose another name", null)
    if (!counters.contains(name)) {
      if (counters.size >= StepCell.Most)
        throw new SettingException(ErrorCode.BadArgument, s"step '${this.name}' has ${StepCell.Most} counters, the most that a step can have", null)
      counters :+= name
      declare()
    }
    new StepCounter(name, handle, StepCell.Judged + counters.indexOf(name))
  }

  /** Operators for rows with a key. */
  def keyed[T](key: T => Any): StepRows[T] = rows[T].keyed(key)

  /** Operators whose failed rows are shown as `text`. */
  def describe[T](text: T => String): StepRows[T] = rows[T].describe(text)

  /** Operators for rows that name a version of side data. */
  def version[T](name: T => String): StepRows[T] = rows[T].version(name)

  /** Operators whose failed rows are counted by the group `name`. */
  def group[T](name: (T, Throwable) => Any): StepRows[T] = rows[T].group(name)

  /** Operators whose samples show texts only after `change`. */
  def redact[T](change: String => String): StepRows[T] = rows[T].redact(change)

  /** The operators of [[StepRows]] without options. */
  def map[T, U: Encoder](rows: Dataset[T])(f: T => U): Dataset[U] = this.rows[T].map(rows)(f)
  def flatMap[T, U: Encoder](rows: Dataset[T])(f: T => Iterable[U]): Dataset[U] = this.rows[T].flatMap(rows)(f)
  def filter[T](rows: Dataset[T])(p: T => Boolean): Dataset[T] = this.rows[T].filter(rows)(p)
  def count[T](rows: Dataset[T]): Dataset[T] = this.rows[T].count(rows)
  def mapWithVersion[T, V, U: Encoder](rows: Dataset[T], catalog: Catalog[V], version: Column)(f: (T, V) => U): Dataset[U] =
    this.rows[T].mapWithVersion(rows, catalog, version)(f)
  def mapWithVersion[T, U: Encoder](rows: Dataset[T], table: Table, version: Column)(f: (T, TableVersion) => U): Dataset[U] =
    this.rows[T].mapWithVersion(rows, table, version)(f)
  def lookup(rows: DataFrame, table: Table, on: Seq[String], version: Column, select: Seq[String] = Nil): DataFrame =
    this.rows[Row].lookupOn(rows, table, LookupRows.same(on), version, select)
  def map[T, U: ClassTag](rows: RDD[T])(f: T => U): RDD[U] = this.rows[T].map(rows)(f)
  def flatMap[T, U: ClassTag](rows: RDD[T])(f: T => Iterable[U]): RDD[U] = this.rows[T].flatMap(rows)(f)
  def filter[T](rows: RDD[T])(p: T => Boolean): RDD[T] = this.rows[T].filter(rows)(p)
  def count[T](rows: RDD[T]): RDD[T] = this.rows[T].count(rows)

  /** The counts of this object's operators up to now. Reports and series add up all steps with the same name. */
  def figures: StepFigures = application.flatMap(_.stepFigures(this)).getOrElse(StepFigures.unknown(name, MetricsApplication.whyOff))

  /**
   * Samples of the failed rows in this object's operators: all of them up to `spark.andiron.metrics.samples` per step
   * name. The columns are those of [[Andiron.failures]]. The samples are read when this method is called and do not
   * change afterwards. Throws if metrics are off.
   */
  def failures: DataFrame = {
    requireAlive()
    FailureFrame.of(session, application, id)
  }

  /**
   * Closes the step: running tasks are no longer counted; its figures stay in the report. For a step with a gate, waits
   * at most `spark.andiron.metrics.stopTimeout` for events about writes that no gate has judged. Idempotent.
   */
  override def close(): Unit = if (isOpen) {
    isOpen = false
    application.foreach { a =>
      if (!context.isStopped && a.gates.namesOf(Set(handle.id)).nonEmpty) a.barrier(AndironConf.MetricsStopTimeout.in(conf)): Unit
      a.remove(this)
    }
  }

  /** Throws if the step's application, and with it the step's metrics, has ended. */
  private[andiron] def requireAlive(): Unit =
    if (context.isStopped)
      throw new ReleasedException(ErrorCode.Released, s"step '$name' belongs to a SparkContext that has stopped: make a new one, with its gates", null)

  /** The key for hashes of redacted rows. */
  private[andiron] def secret: Option[HashSecret] = application.map(_.secret)

  private[andiron] def conf: org.apache.spark.SparkConf = context.getConf

  private[andiron] def requireOpen(): Unit = {
    requireAlive()
    if (!isOpen) throw new ReleasedException(ErrorCode.Released, s"step '$name' is closed: make a new one", null)
  }

  /** A new operator of the step, with the call site in the user's program. */
  private[andiron] def site(kind: String): StepSite = {
    requireOpen()
    val made = StepSite(Step.sites.incrementAndGet(), s"$kind at ${CallSite.here}")
    application.foreach(_.declare(id, name, Some(made), counters))
    made
  }

  private[andiron] def rows[T]: StepRows[T] = plain.asInstanceOf[StepRows[T]]

  private def declare(): Unit = application.foreach(_.declare(id, name, None, counters))

  override def toString: String = s"step '$name'"
}

object Step {
  private val log = LoggerFactory.getLogger(classOf[Step])
  private val ids = new java.util.concurrent.atomic.AtomicLong
  private val sites = new java.util.concurrent.atomic.AtomicLong

  private[andiron] val Remedy = "make the step's counters before, `val hits = step.counter(\"hits\")`, and use those in functions. A function that uses a field or " +
    "method of its class refers to the whole object and the steps in it: copy the field to a local value first, or mark the step @transient"

  /** A step named `name` in `spark`'s application. Steps with the same name are shown together. */
  def apply(spark: SparkSession, name: String): Step = {
    if (name == null || name.trim.isEmpty) throw new SettingException(ErrorCode.BadArgument, "a step needs a name", null)
    val application = MetricsApplication.of(spark.sparkContext)
    if (application.isEmpty) log.warn(s"step '$name' is off: rows are guarded and computed, but not counted: ${MetricsApplication.whyOff}")
    val step = new Step(name, application, spark, SampleBounds.of(spark.sparkContext.getConf))
    step.open()
    step
  }
}
