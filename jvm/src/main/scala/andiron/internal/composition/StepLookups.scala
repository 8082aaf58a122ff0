package andiron.internal.composition

import org.apache.spark.andironshim.TableInternals
import org.apache.spark.sql.{Column, DataFrame, Encoder, Encoders, Row}
import org.apache.spark.sql.functions.col
import org.apache.spark.sql.types.StructType

import andiron.{AndironException, ErrorCode, Table}
import andiron.internal.cache.AndironErrors
import andiron.internal.metrics.RowView
import andiron.internal.table.LookupRows

/** Lookups as operators of steps: a row without a record is dropped. */
private[andiron] object StepLookups {

  /** The column of the version's name, between the projections around the step. */
  private val Version = "__andiron_version"

  /**
   * The rows whose key has a record in their version, with its columns. `map` applies the step to rows of the original
   * columns and two more: the record, or null, and the version's name.
   */
  def lookup(rows: DataFrame, table: Table, on: Seq[(String, String)], version: Column, select: Seq[String])(
      map: (DataFrame, Row => Row) => DataFrame): DataFrame = {
    rows.columns.find(name => name.equalsIgnoreCase(Version) || name.equalsIgnoreCase(LookupRows.Found)).foreach { name =>
      throw AndironErrors.bad(s"the rows have a column '$name', which a lookup in a step uses itself: rename it")
    }
    val named = rows.withColumn(Version, version.cast("string"))
    val looked = LookupRows.records(named, table, on, col(Version), select)
    val kept = rows.columns.toSeq
    val key = on.map { case (own, _) => own -> kept.indexWhere(_.equalsIgnoreCase(own)) }.filter(_._2 >= 0)
    val check = new Check(table.uri, looked.versions, key, kept.size)
    val passed = map(looked.rows.select((kept.map(LookupRows.quoted) :+ col(LookupRows.Found) :+ col(Version)): _*), check)
    passed.select(kept.map(LookupRows.quoted) ++ looked.columns.map(name => col(LookupRows.Found).getField(name).as(name)): _*)
  }

  /** The presentation of rows with a record and a version after their `size` columns: that of the rows without these. */
  def view(rows: RowView[Row], size: Int): RowView[Row] = {
    def own(row: Row): Row = TableInternals.row(row.toSeq.take(size), StructType(row.schema.take(size)))
    RowView[Row](
      rows.key.map(key => (row: Row) => key(own(row))),
      Some((row: Row) => rows.recordOf(own(row))),
      Some((row: Row) => rows.version.fold(row.getString(size + 1))(version => version(own(row)))),
      rows.redact,
      rows.group.map(group => (row: Row, error: Throwable) => group(own(row), error)),
      rows.secret)
  }

  /** The rows' schema after the step. */
  def encoder(rows: DataFrame): Encoder[Row] = Encoders.row(rows.schema)

  private final class Check(table: String, versions: Set[String], key: Seq[(String, Int)], size: Int) extends (Row => Row) with Serializable {
    override def apply(row: Row): Row = {
      if (row.isNullAt(size)) throw missing(row)
      row
    }

    private def missing(row: Row): RuntimeException = Option(row.getString(size + 1)) match {
      case None => AndironException.of(ErrorCode.NullVersion, s"a row names no version of table $table (null)", null)
      case Some(name) if !versions(name) => AndironException.of(ErrorCode.UnknownVersion, s"table $table has no version '$name'", null)
      case Some(name) =>
        val parts = RowView.ofColumns(key.map { case (column, at) => column -> row.get(at) })
        new NoSuchElementException(s"version '$name' of table $table has no record of $parts")
    }
  }
}
