package andiron.internal.table

import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.atomic.AtomicLong

import org.apache.spark.andironshim.{LookupSource, LookupTables, TableFunctions, VersionTimes}
import org.apache.spark.sql.{Column, SparkSession}
import org.apache.spark.sql.functions.lit
import org.apache.spark.sql.types.{DataType, NullType, StringType, TimestampType}

import andiron.{AndironException, ErrorCode, Table}
import andiron.internal.cache.{AndironErrors, ExecutorCache}

/** The tables that SQL names, and those of calls in Scala while Spark resolves them. Any thread of the driver. */
private[andiron] object LookupRegistry extends LookupTables {
  private final class Registered(val application: String, val table: Table)
  private final class Wanted(val table: LookupTable, val select: Seq[String], val failsIfUnknown: Boolean)

  /** No name that a user gives begins with it. */
  private val Mark = "\u0000"

  private val registered = new ConcurrentHashMap[String, Registered]
  private val called = new ConcurrentHashMap[String, Wanted]
  private val calls = new AtomicLong

  /** Gives the table a name for SQL in all sessions of the application, and the session the functions. */
  def register(spark: SparkSession, name: String, table: Table): Unit = {
    if (name == null || name.isEmpty || name.startsWith(Mark)) throw AndironErrors.bad(s"table ${table.uri}: a table needs a name to be registered under")
    TableFunctions.install(spark, this)
    registered.values.removeIf(known => !ExecutorCache.isRunning(known.application)): Unit
    registered.put(name, new Registered(spark.sparkContext.applicationId, table)): Unit
  }

  /** The registered table of this name. */
  def find(name: String): Option[Table] = Option(registered.get(name)).filter(known => ExecutorCache.isRunning(known.application)).map(_.table)

  /** The names of all registered tables. */
  def names: Seq[String] = registered.keySet.toArray(Array.empty[String]).toSeq.filter(find(_).isDefined).sorted

  /** Calls `body` with a column that stands for the table in the functions; Spark must resolve them within the call. */
  def naming[A](spark: SparkSession, table: LookupTable, select: Seq[String], failsIfUnknown: Boolean)(body: Column => A): A = {
    TableFunctions.install(spark, this)
    val name = Mark + calls.incrementAndGet()
    called.put(name, new Wanted(table, select, failsIfUnknown))
    try body(lit(name))
    finally called.remove(name): Unit
  }

  override def lookup(name: Option[String], version: DataType, key: Seq[DataType]): LookupSource = {
    val wanted = of(TableFunctions.Lookup, name)
    version match {
      case _: StringType | NullType => ()
      case other =>
        throw AndironException.of(ErrorCode.TableSchema,
          s"table ${wanted.table.uri}: a version is named by a STRING, and a lookup gives ${other.sql}: cast the column of the rows", null)
    }
    wanted.table.plan(wanted.select, key, wanted.failsIfUnknown)
  }

  override def times(name: Option[String], time: DataType): VersionTimes = {
    val table = of(TableFunctions.VersionAt, name).table
    if (time != TimestampType && time != NullType)
      throw AndironException.of(ErrorCode.TableSchema,
        s"table ${table.uri}: its versions are valid from a TIMESTAMP on, and a lookup gives ${time.sql}: cast the column of the rows, which takes the time zone of " +
          "the session", null)
    val timed = table.timed
    if (timed.isEmpty) throw AndironErrors.bad(s"table ${table.uri} has no version with a time from which on it is valid: publish with validFrom")
    new VersionTimes(table.uri, timed.map(_.validFrom.get).toArray, timed.map(_.name).toArray)
  }

  override def refuse(function: String, arguments: Int): Nothing = {
    val usage = if (function == TableFunctions.Lookup) "a table, a version, and each column of the key" else "a table and a time"
    throw AndironErrors.bad(s"$function takes $usage, and not $arguments arguments")
  }

  private def of(function: String, name: Option[String]): Wanted = name match {
    case None => throw AndironErrors.bad(s"$function names its table by a constant text, as in $function('features', ...)")
    case Some(known) =>
      Option(called.get(known)).getOrElse {
        val found = registered.get(known)
        if (found == null || !ExecutorCache.isRunning(found.application))
          throw AndironErrors.bad(s"$function: no table is registered as '$known': name it by table.register in this application first")
        new Wanted(found.table.lookups, Nil, failsIfUnknown = true)
      }
  }
}
