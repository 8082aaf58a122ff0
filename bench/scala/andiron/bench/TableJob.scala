package andiron.bench

import java.lang.management.ManagementFactory

import andiron._
import org.apache.spark.sql.{DataFrame, SparkSession}
import org.apache.spark.sql.functions.{broadcast, col, count, hash, lit, sum, xxhash64}

/** A record of the table. */
final case class Feature(key: Long, a: Long, b: Long, c: Long, d: Long, e: Double, f: Double, name: String)

/** A record with the versions that have it, from `since` up to but without `until`. */
final case class Interval(key: Long, since: Int, until: Int, a: Long, b: Long, c: Long, d: Long, e: Double, f: Double, name: String)

/** A row of the job: it names the version `day`, and its ordinal. */
final case class Use(key: Long, day: String, ordinal: Int)

/**
 * Rows that name one of several versions of a table, joined with it by key: by Andiron, and by joins of Spark. One approach for each
 * application, whose first action is measured, so that loads and builds are in it.
 */
final class TableJob private (spark: SparkSession, options: Options) {
  import spark.implicits._

  private val keys = options.long("keys")
  private val versions = options.int("versions")
  private val churn = options.int("churn")
  private val folder = options("data")

  private def path(name: String): String = s"$folder/$name"

  /** Writes rows, the table, and the same content as Parquet: for each version all records, and records with their intervals. */
  def prepare(): Map[String, Any] = {
    val (most, every, count) = (versions, churn, keys)
    spark.range(0, options.long("rows"), 1, 16).map { id =>
      val random = TableJob.mix(id.longValue)
      // One key in 20 has no record.
      val ordinal = ((random >>> 1) % most).toInt
      Use((TableJob.mix(random) >>> 1) % (count + count / 20), TableJob.day(ordinal), ordinal)
    }.write.parquet(path("rows"))
    spark.range(0, keys, 1, 16).flatMap { key =>
      val starts = (0 until most).filter(TableJob.isNew(key, _, every))
      starts.zip(starts.drop(1) :+ most).map { case (since, until) =>
        val of = TableJob.record(key, since)
        Interval(key, since, until, of.a, of.b, of.c, of.d, of.e, of.f, of.name)
      }
    }.write.parquet(path("intervals"))
    val table = VersionedData.table(spark, path("table"))
    (0 until versions).foreach { version =>
      val all = spark.range(0, keys, 1, 16).map(key => TableJob.record(key, (version to 0 by -1).find(TableJob.isNew(key, _, every)).getOrElse(0))).toDF()
      all.write.parquet(path(s"version-$version"))
      table.publish(spark.read.parquet(path(s"version-$version")), TableJob.day(version), Seq("key"))
    }
    Map("approach" -> "prepare")
  }

  /** Joins all rows by one approach, and returns the digest, wall and CPU seconds of this process, and the sums of its tasks. */
  def run(): Map[String, Any] = {
    val (approach, fields) = (options("approach"), if (options("fields") == "one") Seq("a") else TableJob.Fields)
    val rows = spark.read.parquet(path("rows"))
    val tasks = new TaskSums(spark.sparkContext)
    // Opens files, loads classes and compiles the digest.
    digest(rows.select(col("key").as("a")), Seq("a")).collect()
    tasks.start()
    val job = joined(approach, rows, fields)
    val (started, cpu) = (System.nanoTime(), TableJob.cpuNanos())
    val found = digest(job, fields).head()
    val first = Map[String, Any](
      "approach" -> approach, "fields" -> options("fields"), "digest" -> s"${found.get(0)} of ${found.get(1)}", "wall_s" -> (System.nanoTime() - started) / 1e9,
      "cpu_s" -> (TableJob.cpuNanos() - cpu) / 1e9, "task_cpu_s" -> tasks.figures("cpu_s"), "shuffle_bytes" -> tasks.figures("shuffle_bytes"))
    val warm = TableJob.cpuNanos()
    digest(job, fields).head(): Unit
    first + ("again_cpu_s" -> (TableJob.cpuNanos() - warm) / 1e9)
  }

  private def joined(approach: String, rows: DataFrame, fields: Seq[String]): DataFrame = approach match {
    case "none"    => rows.select(col("key") +: fields.map(name => (if (name == "name") col("day") else col("key")).as(name)): _*)
    case "andiron" => rows.lookup(VersionedData.table(spark, path("table")), Seq("key"), col("day"), fields)
    case "twice" =>
      val table = VersionedData.table(spark, path("table"))
      val first = rows.lookup(table, Seq("key"), col("day"), fields)
      val moved = first.select((col("key").bitwiseXOR(hash(fields.map(col): _*).bitwiseAND(0))).as("key") +: Seq(col("day")): _*)
      moved.lookup(table, Seq("key"), col("day"), fields)
    case "intervals" => intervals(rows, fields)
    case "per-version" =>
      (0 until versions).map { version =>
        val of = spark.read.parquet(path(s"version-$version")).select((col("key") +: fields.map(col)): _*)
        rows.where(col("ordinal") === version).join(broadcast(of), Seq("key"), "left")
      }.reduce(_ union _)
    case "merge" =>
      val all = (0 until versions).map(version => spark.read.parquet(path(s"version-$version")).withColumn("ordinal", lit(version))).reduce(_ union _)
      rows.hint("merge").join(all.select((col("key") +: col("ordinal") +: fields.map(col)): _*), Seq("key", "ordinal"), "left")
  }

  private def intervals(rows: DataFrame, fields: Seq[String]): DataFrame = {
    val of = spark.read.parquet(path("intervals")).select((col("key").as("of") +: col("since") +: col("until") +: fields.map(col)): _*)
    rows.join(broadcast(of), col("key") === col("of") && col("ordinal") >= col("since") && col("ordinal") < col("until"), "left")
  }

  private def digest(rows: DataFrame, fields: Seq[String]): DataFrame =
    rows.select(xxhash64(fields.map(col): _*).as("hash"), col(fields.head).as("first")).agg(sum(col("hash").cast("decimal(38,0)")), count(col("first")))
}

object TableJob {
  val Fields: Seq[String] = Seq("a", "b", "c", "d", "e", "f", "name")

  def prepare(spark: SparkSession, options: Options): Map[String, Any] = new TableJob(spark, options).prepare()

  def run(spark: SparkSession, options: Options): Map[String, Any] = new TableJob(spark, options).run()

  private def cpuNanos(): Long = ManagementFactory.getOperatingSystemMXBean.asInstanceOf[com.sun.management.OperatingSystemMXBean].getProcessCpuTime

  private[bench] def day(ordinal: Int): String = f"2026-06-${ordinal + 1}%02d"

  /** Whether a version writes a record of the key: the first one does, and each later one with the chance 1 / `churn`. */
  private[bench] def isNew(key: Long, version: Int, churn: Int): Boolean = version == 0 || (mix(key * 64 + version) >>> 1) % churn == 0

  private[bench] def record(key: Long, version: Int): Feature = {
    val random = mix(key * 64 + version)
    Feature(key, random, random + 1, random ^ 2, random * 3, random.toDouble, key.toDouble, s"feature ${random & 0xffff} of $key")
  }

  /** The finaliser of SplitMix64. */
  private[bench] def mix(n: Long): Long = {
    val a = (n + 0x9e3779b97f4a7c15L) * 0xbf58476d1ce4e5b9L
    val b = (a ^ (a >>> 27)) * 0x94d049bb133111ebL
    b ^ (b >>> 31)
  }
}
