package andiron.internal.python

import java.time.{Instant, LocalDate, LocalDateTime, ZoneOffset}
import java.time.temporal.ChronoUnit

import org.apache.spark.sql.{Column, DataFrame, Row, SparkSession}
import org.apache.spark.sql.types._

import andiron.{JavaApi, Missing, Step, Table, VersionedData}
import andiron.internal.cache.AndironErrors
import andiron.internal.util.{CallSite, Json}

/** Tables for the Python package, in types that Py4J can transfer. */
object PythonTables {

  /** [[VersionedData.table]]. */
  def table(spark: SparkSession, uri: String): Table = VersionedData.table(spark, uri)

  /** The names of the versions: a list of texts. */
  def versions(table: Table): String = Json.text(Json.array(table.versions))

  /** The names of the key columns: a list of texts. */
  def key(table: Table): String = Json.text(Json.array(table.key))

  /** The schema of the newest version, as Spark's JSON. */
  def schema(table: Table): String = table.schema.json

  /** [[Table.publish]]; `validFrom` is microseconds since the epoch, or null. */
  def publish(table: Table, rows: DataFrame, version: String, key: java.util.List[String], validFrom: java.lang.Long, isBase: Boolean, shards: Int): Unit =
    table.publish(rows, version, key.toArray(Array.empty[String]).toSeq, Option(validFrom).map(PythonTables.instant(_)), isBase, shards)

  /**
   * [[Table.get]] as a DataFrame of at most one row.
   *
   * @param key a part as `DataType.toInternal` of PySpark has it; a decimal as its digits
   */
  def get(spark: SparkSession, table: Table, version: String, key: java.util.List[Any]): DataFrame = {
    val types = table.key.map(name => table.schema(name).dataType)
    val parts = key.toArray.toSeq.zipWithIndex.map { case (part, number) => types.lift(number).fold[Any](part)(external(part, _)) }
    val found = table.get(version, parts: _*)
    val rows = new java.util.ArrayList[Row](1)
    found.foreach(row => rows.add(row))
    spark.createDataFrame(rows, found.fold(table.schema)(_.schema))
  }

  /** [[VersionedDataset.lookup]]; `missing` is `fail`, `null` or `skip`. */
  def lookup(rows: DataFrame, table: Table, on: java.util.Map[String, String], version: Column, select: java.util.List[String], missing: String): DataFrame =
    missing match {
      case "fail" => JavaApi.lookup(rows, table, on, version, select, Missing.Fail)
      case "null" => JavaApi.lookup(rows, table, on, version, select, Missing.Null)
      case "skip" => JavaApi.lookup(rows, table, on, version, select, Missing.Skip)
      case other  => throw AndironErrors.bad(s"rows whose version table ${table.uri} lacks can fail, null or skip, not '$other'")
    }

  /** [[VersionedDataset.lookupAsOf]]. */
  def lookupAsOf(rows: DataFrame, table: Table, on: java.util.Map[String, String], time: Column, select: java.util.List[String]): DataFrame =
    JavaApi.lookupAsOf(rows, table, on, time, select)

  /** [[StepRows.lookup]]. */
  def stepLookup(step: Step, rows: DataFrame, table: Table, on: java.util.Map[String, String], version: Column, select: java.util.List[String], place: String): DataFrame = {
    val pairs = Seq.newBuilder[(String, String)]
    on.forEach((own, key) => pairs += own -> key)
    CallSite.from(place)(step.rows[Row].lookupOn(rows, table, pairs.result(), version, select.toArray(Array.empty[String]).toSeq))
  }

  private def external(part: Any, of: DataType): Any = (part, of) match {
    case (days: Number, DateType)                => LocalDate.ofEpochDay(days.longValue)
    case (micros: Number, TimestampType)         => instant(micros.longValue)
    case (micros: Number, TimestampNTZType)      => LocalDateTime.ofInstant(instant(micros.longValue), ZoneOffset.UTC)
    case (digits: String, _: DecimalType)        => new java.math.BigDecimal(digits)
    case (number: java.lang.Double, FloatType)   => number.floatValue
    case _                                       => part
  }

  private def instant(micros: Long): Instant = Instant.EPOCH.plus(micros, ChronoUnit.MICROS)
}
