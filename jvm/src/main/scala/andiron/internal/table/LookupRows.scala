package andiron.internal.table

import org.apache.spark.andironshim.TableFunctions
import org.apache.spark.sql.{Column, DataFrame, Dataset}
import org.apache.spark.sql.functions.col
import org.apache.spark.sql.types.StringType

import andiron.{Missing, Table}
import andiron.internal.cache.AndironErrors

/** Adds columns of tables to rows. */
private[andiron] object LookupRows {

  /** The column that holds a record between two projections. */
  val Found = "__andiron_lookup"

  /** `on` are pairs of a column of the rows and a key column. */
  def lookup(rows: Dataset[_], table: Table, on: Seq[(String, String)], version: Column, select: Seq[String], missing: Missing): DataFrame = {
    val of = table.lookups
    val name = version.cast(StringType)
    val kept: Dataset[_] = if (missing == Missing.Skip) rows.filter(name.isin(of.versions.map(_.name): _*)) else rows
    LookupRegistry.naming(rows.sparkSession, of, chosen(rows, of, select), missing == Missing.Fail)(table => add(kept, of, table, name, on, select))
  }

  /** Rows with their record, in the column `Found`, null if there is none; its columns; and the names of all versions. */
  final case class Looked(rows: DataFrame, columns: Seq[String], versions: Set[String])

  def records(rows: DataFrame, table: Table, on: Seq[(String, String)], version: Column, select: Seq[String]): Looked = {
    val of = table.lookups
    val columns = chosen(rows, of, select)
    val found = LookupRegistry.naming(rows.sparkSession, of, columns, failsIfUnknown = false) { table =>
      rows.select(col("*"), TableFunctions.call(TableFunctions.Lookup, table +: version +: ordered(rows, of, on)).as(Found))
    }
    Looked(found, columns, of.versions.map(_.name).toSet)
  }

  /** The column of this name, which may have dots and backticks. */
  def quoted(name: String): Column = col(s"`${name.replace("`", "``")}`")

  /** `time` chooses the version: the newest one that is valid then. */
  def lookupAsOf(rows: Dataset[_], table: Table, on: Seq[(String, String)], time: Column, select: Seq[String]): DataFrame = {
    val of = table.lookups
    LookupRegistry.naming(rows.sparkSession, of, chosen(rows, of, select), failsIfUnknown = true) { table =>
      add(rows, of, table, TableFunctions.call(TableFunctions.VersionAt, Seq(table, time)), on, select)
    }
  }

  /** Pairs for columns of the rows that have the names of the key columns. */
  def same(on: Seq[String]): Seq[(String, String)] = on.map(name => name -> name)

  private def add(rows: Dataset[_], of: LookupTable, table: Column, version: Column, on: Seq[(String, String)], select: Seq[String]): DataFrame = {
    val found = TableFunctions.call(TableFunctions.Lookup, table +: version +: ordered(rows, of, on))
    chosen(rows, of, select) match {
      case Seq(one) => rows.select(col("*"), found.getField(one).as(one))
      case columns =>
        val record = col(Found)
        rows.select(col("*"), found.as(Found)).select(col("*") +: columns.map(name => record.getField(name).as(name)): _*).drop(Found)
    }
  }

  /** The columns of the rows, in the order of the key. The name of a column stands for it, even if it has dots. */
  private def ordered(rows: Dataset[_], of: LookupTable, on: Seq[(String, String)]): Seq[Column] = {
    val key = of.key.map(_.name)
    if (on.size != key.size || on.map(_._2).toSet != key.toSet)
      throw AndironErrors.bad(s"the key of table ${of.uri} is (${key.mkString(", ")}), and a lookup is on (${on.map(_._2).mkString(", ")}): name each key column once; " +
        "columns of other names are given as on = Map(\"column of the rows\" -> \"key column\")")
    key.map { name =>
      val own = on.find(_._2 == name).get._1
      if (rows.columns.contains(own)) quoted(own) else col(own)
    }
  }

  /** The columns to add, of which the rows must have none. */
  private def chosen(rows: Dataset[_], of: LookupTable, select: Seq[String]): Seq[String] = {
    val key = of.key.map(_.name)
    val all = if (select.nonEmpty) select.distinct else of.columns.filterNot(key.contains)
    if (all.isEmpty) throw AndironErrors.bad(s"table ${of.uri} has no columns but its key: select a key column under a name that the rows lack, or use mapWithVersion")
    val taken = rows.columns.map(_.toLowerCase(java.util.Locale.ROOT)).toSet
    all.filter(name => taken(name.toLowerCase(java.util.Locale.ROOT))).foreach { name =>
      throw AndironErrors.bad(s"the rows have a column '$name' already, which a lookup in table ${of.uri} would add: rename it in the rows, or select other columns")
    }
    all
  }
}
