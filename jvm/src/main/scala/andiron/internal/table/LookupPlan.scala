package andiron.internal.table

import org.apache.spark.andironshim.{LookupReader, LookupSource}
import org.apache.spark.sql.types._

import andiron.{AndironException, ErrorCode}
import andiron.internal.cache.AndironErrors

/**
 * Lookups in the versions of a table, as plans carry them.
 *
 * @param result the columns to read: those of the newest version, all of them nullable
 * @param failsIfUnknown whether the name of a version that the table lacks fails the task; if not, it has no records
 */
private[andiron] final class LookupPlan(
    override val label: String, val snapshot: TableSnapshot, override val key: Seq[DataType], override val result: StructType, val failsIfUnknown: Boolean)
    extends LookupSource {

  override def begin(): LookupReader = new LookupCursor(this)

  override def equals(other: Any): Boolean = other match {
    case that: LookupPlan => (snapshot eq that.snapshot) && result == that.result && failsIfUnknown == that.failsIfUnknown
    case _                => false
  }

  override def hashCode: Int = System.identityHashCode(snapshot) + 31 * result.hashCode
}

/** A version as `andiron_version_at` chooses it. */
private[andiron] final case class TimedVersion(name: String, ordinal: Long, validFrom: Option[Long])

/** A table at one moment, on the driver. `key` are the key columns of the newest version. */
private[andiron] final class LookupTable(val uri: String, newest: TableSchema, keyIds: Seq[Int], val versions: Seq[TimedVersion], val snapshot: TableSnapshot) {
  /** The versions with a `validFrom`, in that order; of equal ones the one published last comes last. */
  def timed: Seq[TimedVersion] = versions.filter(_.validFrom.isDefined).sortBy(version => (version.validFrom.get, version.ordinal))

  /** The names of all columns. */
  def columns: Seq[String] = newest.columns.map(_.name)

  val key: IndexedSeq[TableColumn] = keyIds.flatMap(id => newest.column(id)).toIndexedSeq

  /** The plan that reads the columns `select`, all if empty, for keys of these types. */
  def plan(select: Seq[String], keys: Seq[DataType], failsIfUnknown: Boolean): LookupPlan = {
    checkKey(keys)
    val columns = if (select.isEmpty) newest.columns else select.map(column)
    new LookupPlan(uri, snapshot, key.map(_.dataType), StructType(columns.map(column => StructField(column.name, column.dataType, nullable = true))), failsIfUnknown)
  }

  private def column(name: String): TableColumn = newest.columns.find(_.name == name).getOrElse(throw AndironException.of(ErrorCode.TableSchema,
    s"table $uri has no column '$name' in its newest version: its columns are ${newest.columns.map(_.name).mkString(", ")}", null))

  private def checkKey(keys: Seq[DataType]): Unit = {
    if (keys.size != key.size)
      throw AndironErrors.bad(s"the key of table $uri is (${key.map(_.name).mkString(", ")}), and a lookup gives ${keys.size} columns")
    keys.zip(key).foreach { case (given, column) =>
      if (given != NullType && !LookupTypes.widens(given, column.dataType))
        throw AndironException.of(ErrorCode.TableSchema,
          s"table $uri: the key column '${column.name}' is ${column.dataType.sql}, and a lookup gives ${given.sql}, which does not become it without loss: " +
            "cast the column of the rows", null)
    }
  }
}

private[andiron] object LookupTypes {

  /** Whether every value of the type `from` is one of the type `to`, of the same kind; then both have the same bytes in a key. */
  def widens(from: DataType, to: DataType): Boolean = (from, to) match {
    case (own: StringType, StringType)          => own.sql == StringType.sql
    case (own: DecimalType, other: DecimalType) => own.scale == other.scale && own.precision <= other.precision
    case (FloatType, DoubleType)                => true
    case _ if Whole.contains(from)              => Whole.contains(to) && Whole.indexOf(from) <= Whole.indexOf(to)
    case _                                      => from == to
  }

  private val Whole = Seq[DataType](ByteType, ShortType, IntegerType, LongType)
}
