package andiron.internal.composition

import org.apache.spark.sql.{Column, DataFrame, Encoders, Row}
import org.apache.spark.sql.functions.col

import andiron.{AndironException, ErrorCode, Table}
import andiron.internal.metrics.RowView
import andiron.internal.table.LookupRows

/** Lookups as operators of steps: a row without a record is dropped. */
private[andiron] object StepLookups {

  /** The columns of the lookup, between the projections around the step. */
  private val Version = "__andiron_version"

  /**
   * The rows whose key has a record in their version, with its columns. `map` applies the step to rows of the original
   * columns and two more: the record, or null, and the version's name.
   */
  def lookup(rows: DataFrame, table: Table, on: Seq[(String, String)], version: Column, select: Seq[String])(
      map: (DataFrame, Row => Row) => DataFrame): DataFrame = {
    val name = version.cast("string")
    val (looked, columns) = LookupRows.records(rows.withColumn(Version, name), table, on, col(Version), select)
    val kept = rows.columns.toSeq
    val size = kept.size
    val check = new Check(table.uri, table.versions.toSet, on.map { case (own, _) => own -> kept.indexOf(own) }, size)
    val passed = map(looked.select((kept.map(LookupRows.quoted) :+ col(LookupRows.Found) :+ col(Version)): _*), check)
    passed.select(kept.map(LookupRows.quoted) ++ columns.map(name => col(LookupRows.Found).getField(name).as(name)): _*)
  }

  /** The presentation of rows with a record and a version after their `size` columns. */
  def view(rows: RowView[Row], size: Int): RowView[Row] = {
    def own(row: Row): Row = Row.fromSeq(row.toSeq.take(size))
    RowView[Row](
      rows.key.map(key => (row: Row) => key(row)),
      Some((row: Row) => rows.recordOf(own(row))),
      Some((row: Row) => rows.version.fold(row.getString(size + 1))(_(row))),
      rows.redact,
      rows.group,
      rows.secret)
  }

  /** The rows' schema after the step. */
  def encoder(rows: DataFrame): org.apache.spark.sql.Encoder[Row] = Encoders.row(rows.schema)

  private final class Check(table: String, versions: Set[String], on: Seq[(String, Int)], size: Int) extends (Row => Row) with Serializable {
    override def apply(row: Row): Row = {
      if (row.isNullAt(size)) throw missing(row)
      row
    }

    private def missing(row: Row): RuntimeException = Option(row.getString(size + 1)) match {
      case None => AndironException.of(ErrorCode.NullVersion, s"a row names no version of table $table (null)", null)
      case Some(name) if !versions(name) => AndironException.of(ErrorCode.UnknownVersion, s"table $table has no version '$name'", null)
      case Some(name) =>
        val key = on.map { case (column, at) => s"$column = ${row.get(at)}" }.mkString(", ")
        new NoSuchElementException(s"version '$name' of table $table has no record of $key")
    }
  }
}
