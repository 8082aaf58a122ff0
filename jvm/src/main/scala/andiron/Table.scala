package andiron

import java.time.Instant
import java.time.temporal.ChronoUnit

import scala.annotation.varargs

import org.apache.spark.sql.{DataFrame, Row, SparkSession}
import org.apache.spark.sql.types.StructType

import andiron.internal.cache.{AndironErrors, HadoopSettings}
import andiron.internal.metrics.PublishGate
import andiron.internal.source.{VersionSource, VersionTable}
import andiron.internal.table.{LookupRegistry, LookupTable, NewVersion, Publisher, TableCursor, TableFiles, TableSnapshot, TableState, TimedVersion}
import andiron.internal.util.OfTheDriver

/**
 * Keyed side data whose versions share the rows that did not change. Made by [[VersionedData.table]] on the driver, where
 * it stays; functions receive a [[TableVersion]].
 *
 * The versions are those that the table had when this object was made, refreshed, or published by it. Thread-safe.
 */
final class Table private[andiron] (spark: SparkSession, source: String, settings: HadoopSettings)
    extends OfTheDriver("pass the table to mapWithVersion, whose function receives the version") {
  private val files = new TableFiles(source, settings)
  private val publishing = new Object
  @volatile private var state = TableState.read(files, TableState.empty)
  private var current: Option[(TableState, TableSnapshot)] = None

  /** The table's path with its scheme. */
  def uri: String = files.uri

  /** The names of the versions, in the order of their publication. */
  def versions: Seq[String] = state.versions.map(_.name)

  /** The columns of the newest version. Throws an UnknownVersionException if there is no version. */
  def schema: StructType = newest.schema.toStruct

  /** The names of the key columns in the newest version, in the order of the key. */
  def key: Seq[String] = {
    val names = newest.schema
    state.description.toSeq.flatMap(_.key).flatMap(id => names.column(id).map(_.name))
  }

  /** Reads the versions that are new. */
  def refresh(): Unit = synchronized {
    state = TableState.read(files, state)
  }

  /**
   * Publishes all of `rows` as a version, and refreshes this object. The version is visible when the call returns, and
   * not at all if it fails: what differs from the newest version is written by tasks, and its manifest by the driver last.
   *
   * If rows come from a step with a gate, the gate judges it before the manifest is written, as it judges a write.
   *
   * A row is one key; a key that occurs twice or is null is a TableException that names it. Columns are those of the
   * table by name; a column may be added, left out, or widened. If another publisher is faster, or the version exists, it is
   * a TableException with the code 507.
   *
   * @param key the key columns; may be left out once the table has a version
   */
  def publish(rows: DataFrame, version: String, key: Seq[String] = Nil): Unit = publish(rows, version, key, None, isBase = false, shards = 0)

  /**
   * As the other `publish`.
   *
   * @param validFrom the time from which on the version is valid, if it has one
   * @param isBase whether all rows are written, as for a change of the columns that older rows do not allow
   * @param shards the number of shards of a new table, a power of two up to 4,096; 0: from the rows, which are then
   *   computed twice
   */
  def publish(rows: DataFrame, version: String, key: Seq[String], validFrom: Option[Instant], isBase: Boolean, shards: Int): Unit = publishing.synchronized {
    if (shards < 0 || shards > 4096 || Integer.bitCount(shards) > 1)
      throw AndironErrors.bad(s"table $uri: $shards is no number of shards: a power of two up to 4,096, or 0")
    refresh()
    val before = state
    val micros = validFrom.map(time => ChronoUnit.MICROS.between(Instant.EPOCH, time))
    val gate = new PublishGate(spark.sparkContext, rows)
    try new Publisher(spark, files, source, settings).publish(rows, NewVersion(version, key, micros, isBase, shards), before, snapshotOf(before), () => gate.judge())
    finally gate.close()
    refresh()
  }

  /**
   * The row with this key in a version, copied. Loads the version in the driver's process: a peek, and no way to join.
   * See [[TableVersion.get]].
   */
  @varargs
  def get(version: String, key: Any*): Option[Row] = {
    val cursor = new TableCursor(snapshot)
    try {
      val of = cursor.version(version)
      cursor.reading(of.get(key: _*).map(_.copy()))
    } finally cursor.close()
  }

  /**
   * Gives the table a name for SQL, in all sessions of the application:
   * `SELECT andiron_lookup('name', version, key...).column`. Each query sees the versions that this object has when the
   * query is analysed. A name that is registered again stands for the newer table.
   */
  def register(name: String): Unit = LookupRegistry.register(spark, name, this)

  /** The rows of a version, with the columns that it has. The rows are read in the executors, through the index. */
  def read(version: String): DataFrame = VersionSource.read(spark, asSource(Some(version)))

  /** A version for queries; the newest one by default. Throws an UnknownVersionException if there is none. */
  private[andiron] def asSource(name: Option[String]): VersionTable = {
    val of = lookups
    val found = name.getOrElse(of.versions.last.name)
    val version = of.snapshot.spec.value.version(found).getOrElse(TableCursor.unknown(uri, found))
    new VersionTable(uri, version, of.snapshot, spark.sparkContext.defaultParallelism)
  }

  /** The version that is valid at a time, as [[VersionedDataset.lookupAsOf]] chooses it; microseconds since 1970. */
  private[andiron] def validAt(micros: Long): String = lookups.timed.takeWhile(_.validFrom.exists(_ <= micros)).lastOption.map(_.name)
    .getOrElse(throw AndironException.of(ErrorCode.UnknownVersion, s"table $uri has no version that is valid at ${Instant.EPOCH.plus(micros, ChronoUnit.MICROS)}", null))

  /** The versions for lookups, all of one moment. */
  private[andiron] def lookups: LookupTable = synchronized {
    val made = snapshot
    val versions = state.versions.map(version => TimedVersion(version.name, version.ordinal, version.validFrom))
    new LookupTable(uri, newest.schema, state.description.get.key, versions, made)
  }

  /** The versions for use in tasks. */
  private[andiron] def snapshot: TableSnapshot = {
    val now = state
    if (now.newest.isEmpty) throw none
    snapshotOf(now)
  }

  private def snapshotOf(now: TableState): TableSnapshot = synchronized {
    current match {
      case Some((of, made)) if of eq now => made
      case _ =>
        val made = TableSnapshot.of(spark, files, now)
        current = Some((now, made))
        made
    }
  }

  private def newest = state.newest.getOrElse(throw none)

  private def none = AndironException.of(ErrorCode.UnknownVersion, s"table $uri has no version: publish one", null)

  override def toString: String = s"Table($uri)"
}
