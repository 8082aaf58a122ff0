package andiron.hive

import org.apache.spark.rdd.RDD
import org.apache.spark.sql.{Row, SparkSession}
import org.apache.spark.sql.functions.{col, lit}
import org.apache.spark.storage.StorageLevel
import org.slf4j.LoggerFactory

import andiron.{ErrorCode, SettingException}

/** The numbers of records in a batch by table and, for the quarantine, by cause. */
private[hive] final case class Counts(of: Map[(String, String), Long]) {
  def +(other: Counts): Counts = Counts((of.toSeq ++ other.of.toSeq).groupBy(_._1).map { case (key, counts) => key -> counts.map(_._2).sum })

  def table(table: Table): Long = of.collect { case ((name, _), count) if name == table.name => count }.sum

  override def toString: String = {
    val causes = of.toSeq.collect { case ((name, cause), count) if name == Tables.quarantine.name => s"$cause $count" }.sorted
    s"${table(Tables.metrics)} to metrics_raw, ${table(Tables.failures)} to failures_raw, ${table(Tables.quarantine)} to quarantine" +
      (if (causes.isEmpty) "" else causes.mkString(" (", ", ", ")"))
  }
}

/**
 * The tables of one database. They accept every revision any number of times, and the views show each event once. A
 * batch may therefore be written twice, or partly and then again; the only demand on the storage is that written data
 * stays.
 */
private[hive] final class Store(spark: SparkSession, database: String) {
  private val log = LoggerFactory.getLogger(classOf[Store])

  /**
   * Creates missing databases, tables and views, adds columns that tables of older releases lack, and then renews the
   * views.
   */
  def prepare(): Unit = {
    spark.sql(s"CREATE DATABASE IF NOT EXISTS $database"): Unit
    val added = Tables.all.flatMap { table =>
      spark.sql(table.create(database)): Unit
      widen(table)
    }
    Tables.views.foreach { view =>
      if (added.nonEmpty || versionOf(view) < Tables.Version) spark.sql(view.create(database)): Unit
    }
  }

  private def widen(table: Table): Seq[String] = {
    val there = spark.table(s"$database.${table.name}").schema
    val types = there.fields.map(field => field.name.toLowerCase -> field.dataType).toMap
    table.schema.fields.foreach { field =>
      types.get(field.name).filter(_ != field.dataType).foreach { other =>
        throw new SettingException(ErrorCode.BadSetting, s"column ${field.name} of $database.${table.name} is ${other.sql}, and Andiron's is " +
          s"${field.dataType.sql}: this table was not made by andiron.hive.Ingest; name another database with --database", null)
      }
    }
    val lacking = table.schema.fields.filterNot(field => types.contains(field.name)).toSeq
    if (lacking.nonEmpty) {
      log.info(s"adding columns to $database.${table.name}: ${lacking.map(_.name).mkString(", ")}")
      spark.sql(s"ALTER TABLE $database.${table.name} ADD COLUMNS (${lacking.map(field => s"`${field.name}` ${field.dataType.sql}").mkString(", ")})"): Unit
    }
    lacking.map(_.name)
  }

  /** The version of an existing view; 0 if it does not exist. */
  private def versionOf(view: View): Int =
    if (!spark.catalog.tableExists(s"$database.${view.name}")) 0
    else {
      val properties = spark.sql(s"SHOW TBLPROPERTIES $database.${view.name}").collect().map(row => row.getString(0) -> row.getString(1)).toMap
      properties.get(Tables.Property).fold(0)(_.toInt)
    }

  /** Writes a batch. A partly written batch is harmless if it is written again. */
  def write(records: RDD[Record]): Counts = {
    val now = System.currentTimeMillis()
    val placed = records.map(EventReader.read(_, now)).persist(StorageLevel.MEMORY_AND_DISK_SER)
    try {
      val sizes = placed.map(one => (one.table, one.cause) -> ((1L, one.bytes))).reduceByKey((a, b) => (a._1 + b._1, a._2 + b._2)).collect().toMap
      Tables.ofRecords.foreach { table =>
        val bytes = sizes.collect { case ((name, _), (_, bytes)) if name == table.name => bytes }
        if (bytes.nonEmpty) append(table, placed.filter(_.table == table.name).map(_.row), bytes.sum)
      }
      Counts(sizes.map { case (key, (count, _)) => key -> count })
    } finally placed.unpersist(): Unit
  }

  /**
   * Writes few files, with the rows of an application close together: the files' statistics then let a query by
   * application skip the rest.
   */
  private def append(table: Table, rows: RDD[Row], bytes: Long): Unit = {
    val own = table.schema.fieldNames.toSet
    val there = spark.table(s"$database.${table.name}").schema.fields.toSeq
    val columns = there.map(field => if (own.contains(field.name)) col(field.name) else lit(null).cast(field.dataType).as(field.name))
    val order = if (own.contains("event_id")) Seq("dt", "app_id", "event_id") else Seq("dt", "position")
    val files = 1 + (bytes / Store.FileBytes).toInt
    spark.createDataFrame(rows, table.schema).select(columns: _*)
      .repartition(files, order.take(2).map(col): _*).sortWithinPartitions(order.map(col): _*)
      .write.mode("append").insertInto(s"$database.${table.name}")
  }

  /** By log (application, attempt), the position up to which the tables contain the log completely. */
  def reached(): Map[(String, String), Long] =
    spark.table(s"$database.${Tables.places.name}").groupBy("app_id", "app_attempt").max("position").collect()
      .map(row => (row.getString(0), row.getString(1)) -> row.getLong(2)).toMap

  /**
   * Records that the tables contain each of these logs up to a position. Call it after writing the rows: a write cut
   * off by a kill may have left later rows without earlier ones.
   */
  def reach(places: Map[(String, String), Long]): Unit = {
    val now = System.currentTimeMillis()
    val rows = places.toSeq.map { case ((application, attempt), place) => Row(application, attempt, place, now, EventReader.day(now, now)) }
    append(Tables.places, spark.sparkContext.parallelize(rows, 1), 0)
  }
}

private object Store {
  private val FileBytes = 256L << 20
}
