package andiron

import scala.annotation.varargs
import scala.reflect.runtime.universe.TypeTag
import scala.util.control.NonFatal

import org.apache.spark.TaskContext
import org.apache.spark.sql.api.java.UDF2
import org.apache.spark.sql.expressions.UserDefinedFunction
import org.apache.spark.sql.functions
import org.apache.spark.sql.types.DataType
import org.apache.spark.util.LongAccumulator
import org.slf4j.LoggerFactory

import andiron.internal.cache.{AndironErrors, CatalogId, CatalogState, DriverReports, ExecutorCache, InUse, NativeCursor, OpenCatalog, SharedCursor, SharedSpec, TaskLeases, VersionedFunction}

/**
 * A dataset's versions, as a value that tasks carry in their closures. Made by [[VersionedData.catalog]] on the driver;
 * immutable except for `demand` and `close`. Thread-safe.
 */
final class Catalog[V] private[andiron] (
    private[andiron] val id: CatalogId,
    spec: SharedSpec[V],
    state: CatalogState,
    policy: Missing,
    skipped: LongAccumulator)
    extends Serializable
    with AutoCloseable {

  @transient @volatile private var here: OpenCatalog[V] = _

  /** The dataset's name. */
  def dataset: String = id.dataset

  /** The names of the versions, in the order in which `mapWithVersion` visits them. */
  def versions: Seq[String] = spec.value.versions.map(_.version.name).toSeq

  /**
   * The same catalog with another policy for `mapWithVersion` rows whose version is null or unknown. Closing one closes
   * both. `Missing.Skip` excludes cursors and column functions, which receive versions rather than rows that could be
   * dropped.
   */
  def missing(policy: Missing): Catalog[V] = {
    if (policy == Missing.Null)
      throw AndironErrors.bad(s"dataset '$dataset': a function takes the value of a version, which is never null: use Missing.Skip, or Missing.Fail; " +
        "Missing.Null is for lookups in tables")
    new Catalog[V](id, spec, state, policy, skipped)
  }

  /**
   * Number of rows dropped by `Missing.Skip`. As with Spark's accumulators, rows of tasks that ran twice may count
   * twice. Only on the driver.
   */
  def skippedRows: Long = skipped.value

  /**
   * A cursor for this task, or for this thread outside any task (then you must close it). `ordered` promises that the
   * cursor visits versions in the order of `versions`, so that executors know which versions it still needs.
   */
  def cursor(ordered: Boolean): Cursor[V] = {
    requireNoSkip("a cursor")
    attempt(Nil)((catalog, leases, done) => new Cursor[V](new NativeCursor[V](catalog, leases, ordered, Array.emptyLongArray), catalog, done))
  }

  /**
   * An operator's cursor. Between two calls of the user's function, which `inUse` brackets, other cursors of the task
   * may take back its version.
   */
  private[andiron] def cursor(ordered: Boolean, inUse: InUse): Cursor[V] =
    attempt(Nil) { (catalog, leases, done) =>
      new Cursor[V](new NativeCursor[V](catalog, leases, ordered, Array.emptyLongArray, inUse), catalog, done)
    }

  /** A cursor that visits versions in any order. */
  def cursor(): Cursor[V] = cursor(ordered = false)

  /** Leases one version until the lease is closed or the task ends. Throws like [[Cursor.advance]]. */
  def lease(version: String): Lease[V] = attempt(Seq(version)) { (catalog, leases, done) =>
    val handle = catalog.handleOf(version)
    closeOnError(new NativeCursor[V](catalog, leases, ordered = false, Array(handle)))(native => new Lease[V](native, handle, done))
  }

  /**
   * Leases several versions at once, waiting until all fit the budget. Use it in tasks that need more than one version
   * at a time.
   */
  @varargs
  def acquireAll(versions: String*): LeaseSet[V] = {
    val names = versions.distinct.toIndexedSeq
    if (names.isEmpty) throw AndironErrors.bad(s"acquireAll of dataset '$dataset' needs at least one version")
    attempt(names) { (catalog, leases, done) =>
      val handles = names.map(catalog.handleOf).toArray
      closeOnError(new NativeCursor[V](catalog, leases, ordered = false, handles))(native => new LeaseSet[V](native, names, handles, done))
    }
  }

  /**
   * Makes a cursor or lease on this task's attempt; outside tasks, on an attempt that ends with the cursor or lease.
   * `wanted` is for messages.
   */
  private def attempt[L <: AnyRef](wanted: Seq[String])(make: (OpenCatalog[V], TaskLeases, () => Unit) => L): L = {
    val catalog = opened(wanted)
    val cache = ExecutorCache.current()
    val context = TaskContext.get()
    if (context != null) make(catalog, cache.attempts.of(context), () => ())
    else {
      val leases = cache.outside.begin()
      try make(catalog, leases, () => cache.outside.end(leases))
      catch {
        case t: Throwable =>
          cache.outside.end(leases)
          throw t
      }
    }
  }

  private def closeOnError[L](native: NativeCursor[V])(make: NativeCursor[V] => L): L =
    try make(native)
    catch {
      case t: Throwable =>
        native.close()
        throw t
    }

  /**
   * A column function of version and argument, evaluated with the version's value: use
   * `catalog.udf((id: Long, planes: Planes) => planes.seats(id))` as `f(col("version"), col("id"))`.
   *
   * Each task moves one cursor, so sort within partitions by version first. The function is nondeterministic, which
   * keeps that sort in the plan; Spark therefore rejects it in aggregates and join conditions: make a column of it
   * first (`withColumn`) and use that column there. On a streaming Dataset it works within each batch; Spark does not
   * sort a stream, so the cursor moves whenever the version changes from row to row.
   */
  def udf[A: TypeTag, U: TypeTag](f: (A, V) => U): UserDefinedFunction = {
    requireNoSkip("a udf")
    val versioned = new VersionedFunction[A, V, U](this, f)
    functions.udf((version: String, argument: A) => versioned(version, argument)).withName(Catalog.FunctionName).asNondeterministic()
  }

  /** For Java: as the other `udf`, with the type of the result. */
  def udf[A, U](f: UDF2[A, V, U], result: DataType): UserDefinedFunction = {
    requireNoSkip("a udf")
    val versioned = new VersionedFunction[A, V, U](this, (argument: A, value: V) => f.call(argument, value))
    val function = new UDF2[String, A, U] { override def call(version: String, argument: A): U = versioned(version, argument) }
    functions.udf(function, result).withName(Catalog.FunctionName).asNondeterministic()
  }

  /**
   * Sends the executors the number of tasks still expected to need each version, by name. When space is needed, the
   * version with the least demand is evicted first. Applies to tasks submitted afterwards; a hint replaces the previous
   * one. Only on the driver.
   */
  def demand(tasks: Map[String, Long]): Unit = {
    val known = versions.toSet
    tasks.keys.find(!known(_)).foreach(name => throw AndironErrors.bad(s"dataset '$dataset' has no version '$name' to demand"))
    state.hintDemand(tasks)
  }

  /**
   * Closes the catalog: leased versions are released with their last lease, all others immediately, and later use in
   * tasks throws a ReleasedException. Idempotent.
   *
   * Only on the driver, where it takes effect immediately. With the plugin, it waits at most 5 s until every executor
   * has confirmed. Without the plugin, an executor keeps unused versions until it needs their space or the application
   * ends.
   */
  override def close(): Unit = {
    if (TaskContext.get() != null) throw AndironErrors.bad(s"the catalog of dataset '$dataset' cannot be closed by a task: close it on the driver")
    if (state.close() && ExecutorCache.isRunning(id.application)) {
      ExecutorCache.closeCatalog(id.uuid)
      DriverReports.closeCatalog(id.uuid)
      try spec.unpersist()
      catch { case NonFatal(e) => Catalog.log.debug(s"the broadcast of dataset ${id.dataset} was already removed", e) }
    }
  }

  /** Whether this process knows that the catalog was closed. */
  def isClosed: Boolean = state.isClosed || ExecutorCache.hasClosed(id.uuid)

  private[andiron] def policyForMissing: Missing = policy

  /** Rejects `Missing.Skip` for an operation that cannot drop rows. */
  private[andiron] def requireNoSkip(what: String): Unit =
    if (policy == Missing.Skip)
      throw AndironErrors.bad(s"$what of dataset '$dataset' drops no rows, and its catalog is one of missing(Missing.Skip): use mapWithVersion, or the catalog " +
        "without that policy, and leave out rows without a known version by cursor.contains or Column.isin(catalog.versions: _*)")

  private[andiron] def countSkipped(): Unit = skipped.add(1L)

  /** Fails early, on the driver, if the catalog is closed. */
  private[andiron] def requireOpen(): Unit = if (isClosed || !ExecutorCache.isRunning(id.application)) throw AndironErrors.closed(id)

  /** This process's side of the catalog. If the catalog is closed, the error names the `wanted` versions. */
  private[andiron] def opened(wanted: Seq[String]): OpenCatalog[V] = {
    if (state.isClosed) throw closed(wanted)
    val known = here
    if (known != null && ExecutorCache.isCurrent(known)) known
    else {
      if (ExecutorCache.hasClosed(id.uuid) || !ExecutorCache.isRunning(id.application)) throw closed(wanted)
      val catalog = ExecutorCache.current().open(id, () => spec.value)
      catalog.expect(state.demand)
      here = catalog
      catalog
    }
  }

  /** The error names the sources if this process has used the catalog before. */
  private def closed(wanted: Seq[String]): AndironException = {
    val labels = Option(here).toSeq.flatMap(_.spec.versions).map(version => version.version.name -> version.label).toMap
    val what = wanted.map(name => labels.getOrElse(name, s"version '$name' of dataset '$dataset'"))
    if (what.isEmpty) AndironErrors.closed(id) else AndironErrors.closed(id, what.mkString(", "))
  }

  override def toString: String = s"Catalog($dataset)"
}

private object Catalog {

  /**
   * Spark shows this name when it rejects a nondeterministic function, without any text from Andiron, so the name
   * contains the advice.
   */
  private val FunctionName = "catalog_udf__use_withColumn_first"

  private val log = LoggerFactory.getLogger(classOf[Catalog[_]])

  /** A cursor for another process on behalf of `context`'s task, such as a Python worker. */
  def sharedCursor[V](catalog: Catalog[V], context: TaskContext): SharedCursor = {
    val opened = catalog.opened(Nil)
    new SharedCursor(new NativeCursor[V](opened, ExecutorCache.current().attempts.of(context), ordered = false, Array.emptyLongArray), opened)
  }
}
