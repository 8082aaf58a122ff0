package andiron.services

import java.nio.file.{Files, Path}

import org.apache.spark.sql.{DataFrame, Encoders, SparkSession}
import org.apache.spark.sql.functions.col

import andiron._

/** Checks of gates before the writers of Hive tables: Spark's writer for Parquet, Hive's for other formats. */
private final class HiveGates(spark: SparkSession, warehouse: Path) {
  private val Tables = Seq("parquet" -> "STORED AS PARQUET", "orc" -> "STORED AS ORC", "text" -> "ROW FORMAT DELIMITED STORED AS TEXTFILE")
  private val Writes = Seq[(String, (String, DataFrame) => Unit)](
    "append" -> { (table, rows) => rows.write.mode("append").insertInto(table) },
    "append-to-partition" -> { (table, _) => spark.sql(s"INSERT INTO $table PARTITION (p = 1) SELECT value FROM fresh WHERE p = 1"): Unit },
    "overwrite-partition" -> { (table, _) => spark.sql(s"INSERT OVERWRITE TABLE $table PARTITION (p = 1) SELECT value FROM fresh WHERE p = 1"): Unit },
    "overwrite-dynamic" -> { (table, _) => spark.sql(s"INSERT OVERWRITE TABLE $table PARTITION (p) SELECT value, p FROM fresh"): Unit },
    "overwrite-insert-into" -> { (table, rows) => rows.write.mode("overwrite").insertInto(table) })

  /** Rows with a partition `p` of 1, 2 or 3; the step drops one in `every`. */
  private def features(step: Step, every: Long): DataFrame =
    step.map(spark.range(0, 1000, 1, 4))(n => if (n % every == 0) sys.error(s"no history of member $n") else n.longValue)(Encoders.scalaLong)
      .withColumn("p", (col("value") % 3 + 1).cast("int"))

  private def fresh(every: Long): Set[(Long, Int)] = (0L until 1000).filter(_ % every != 0).map(n => (n, (n % 3 + 1).toInt)).toSet

  private def rows(table: String): Seq[(Long, Int)] = {
    spark.catalog.refreshTable(table)
    spark.table(table).select(col("value").cast("bigint"), col("p").cast("int")).collect().map(row => (row.getLong(0), row.getInt(1))).toSeq.sorted
  }

  private def partitions(table: String): Seq[String] = spark.sql(s"SHOW PARTITIONS $table").collect().map(_.getString(0)).toSeq.sorted

  /** All files and directories below the table's directory, including hidden ones. */
  private def content(table: String): Seq[String] = {
    val folder = warehouse.resolve(s"gates.db/${table.stripPrefix("gates.")}")
    var found = Vector.empty[String]
    if (Files.exists(folder)) {
      val all = Files.walk(folder)
      try all.forEach(path => found :+= folder.relativize(path).toString)
      finally all.close()
    }
    found.sorted
  }

  private def gated(name: String, every: Long)(body: DataFrame => Unit): Option[GateException] = {
    val step = Step(spark, name)
    Gate(step, maxDropRatio = 0.01)
    val frame = features(step, every)
    frame.createOrReplaceTempView("fresh")
    val thrown = try { body(frame); None } catch { case e: Exception => Some(e) }
    step.close()
    thrown.map { e =>
      Iterator.iterate[Throwable](e)(_.getCause).takeWhile(_ != null).collectFirst { case gate: GateException => gate }.getOrElse(throw e)
    }
  }

  private def check(format: String, stored: String, name: String, write: (String, DataFrame) => Unit) = Check(s"gate-$format-$name") {
    val table = s"gates.${format}_${name.replace('-', '_')}"
    spark.sql(s"CREATE TABLE $table (value BIGINT) PARTITIONED BY (p INT) $stored")
    spark.sql(s"INSERT INTO $table PARTITION (p) SELECT id + 5000, CAST(id % 2 AS INT) FROM range(20)")
    val before = (content(table), partitions(table), rows(table))
    Check.require(before._2 == Seq("p=0", "p=1") && before._3.size == 20, s"the table has not begun as it should: $before")
    val refused = gated(s"bad $table", 5)(write(table, _))
    Check.require(refused.exists(e => e.code == 200 && e.step == s"bad $table"), s"the write was not refused: $refused")
    Check.require(partitions(table) == before._2, s"partitions ${partitions(table)}, not ${before._2}")
    Check.require(rows(table) == before._3, s"rows are not what they were: ${rows(table).take(5)}")
    val left = content(table)
    Check.require(left == before._1, s"files that were not there: ${left.diff(before._1)}; that are gone: ${before._1.diff(left)}")
    Check.require(gated(s"good $table", 500)(write(table, _)).isEmpty, "a write that passes was refused")
    val all = fresh(500)
    val expected = name match {
      case "append"              => before._3 ++ all
      case "append-to-partition" => before._3 ++ all.filter(_._2 == 1)
      case "overwrite-partition" => before._3.filter(_._2 != 1) ++ all.filter(_._2 == 1)
      // An overwrite of a Hive table replaces only the partitions of its rows.
      case _                     => before._3.filter(_._2 == 0) ++ all
    }
    Check.require(rows(table) == expected.sorted, s"${rows(table).size} rows instead of ${expected.size}")
    Seq("files" -> content(table).size)
  }

  private val whole = Check("gate-unpartitioned") {
    for ((format, stored) <- Tables) {
      val table = s"gates.${format}_whole"
      spark.sql(s"CREATE TABLE $table (value BIGINT, p INT) $stored")
      spark.sql(s"INSERT INTO $table SELECT id + 5000, 0 FROM range(20)")
      val before = (content(table), rows(table))
      for (mode <- Seq("append", "overwrite")) {
        Check.require(gated(s"bad $mode $table", 5)(_.write.mode(mode).insertInto(table)).exists(_.code == 200), s"$mode of $table was not refused")
        Check.require((content(table), rows(table)) == before, s"$mode of $table has changed it")
      }
      Check.require(gated(s"good $table", 500)(_.write.mode("overwrite").insertInto(table)).isEmpty, s"a write to $table that passes was refused")
      Check.require(rows(table) == fresh(500).toSeq.sorted, s"$table has other rows than were written")
    }
  }

  private val made = Check("gate-create-table-as") {
    val refused = gated("bad made", 5) { _ => spark.sql("CREATE TABLE gates.made STORED AS ORC AS SELECT * FROM fresh"): Unit }
    Check.require(refused.exists(_.code == 200), s"the write was not refused: $refused")
    Check.require(!spark.catalog.tableExists("gates.made") && content("gates.made").isEmpty, s"a table is left: ${content("gates.made")}")
  }

  lazy val checks: Seq[Check] = {
    spark.sql("CREATE DATABASE IF NOT EXISTS gates")
    // Hive's writer serves formats other than Parquet.
    spark.conf.set("spark.sql.hive.convertMetastoreOrc", "false")
    spark.conf.set("hive.exec.dynamic.partition.mode", "nonstrict")
    Tables.flatMap { case (format, stored) => Writes.map { case (name, write) => check(format, stored, name, write) } } ++ Seq(whole, made)
  }
}
