package andiron.internal.cache

import java.nio.file.Path

import andiron.testing.Sparks._
import andiron._
import andiron.testing.SuiteRunner

import org.apache.spark.api.java.function.VoidFunction2
import org.apache.spark.sql.{DataFrame, Encoders, Row, SparkSession}
import org.apache.spark.sql.functions.{col, lit}
import org.apache.spark.sql.streaming.Trigger
import org.apache.spark.sql.types._
import org.junit.runner.RunWith
import org.scalatest.BeforeAndAfterAll
import org.scalatest.funsuite.AnyFunSuite

final case class Member(id: Long, version: String)
final case class Renamed(number: Long, label: Option[String])

@RunWith(classOf[SuiteRunner])
class MapWithVersionSuite extends AnyFunSuite with BeforeAndAfterAll {
  private var spark: SparkSession = _
  private var directory: Path = _
  private var catalog: Catalog[Bytes] = _
  private val strings = Encoders.STRING
  private val names = Seq("v1", "v2", "v3")

  override def beforeAll(): Unit = {
    directory = java.nio.file.Files.createTempDirectory("map-with-version")
    spark = start("local[4]")
    catalog = VersionedData.catalog(spark, "letters", names.map(name => Version(name, source(directory, name, s"value of $name"))), Loader.bytes)
  }

  override def afterAll(): Unit = {
    catalog.close()
    assert(stats(spark)("residentBytes") == 0)
    stop(spark)
    delete(directory)
  }

  private def members(n: Int, partitions: Int = 5) =
    spark.range(0, n.toLong, 1, partitions).select(col("id"), (col("id") % 3).cast("int").as("k"))
      .select(col("id"), org.apache.spark.sql.functions.concat(lit("v"), (col("k") + 1).cast("string")).as("version"))

  test("every row of a DataFrame meets the value of its version") {
    val rows = members(100).mapWithVersion(catalog, col("version"))((row: Row, value: Bytes) => s"${row.getLong(0)} ${text(value)}")(strings).collect()
    assert(rows.toSet == (0 until 100).map(i => s"$i value of v${i % 3 + 1}").toSet)
    assert(stats(spark)("leases") == 0)
  }

  test("every row of a Dataset of a case class does too") {
    val encoder = Encoders.product[Member]
    val rows = members(20).as[Member](encoder).mapWithVersion(catalog, col("version"))((m: Member, value: Bytes) => s"${m.id} ${text(value)}")(strings).collect()
    assert(rows.toSet == (0 until 20).map(i => s"$i value of v${i % 3 + 1}").toSet)
  }

  test("tuples with renamed columns, options, nulls, single values and nested rows arrive as they are") {
    val tuples = members(3).toDF("a", "b").as[(Long, String)](Encoders.tuple(Encoders.scalaLong, Encoders.STRING))
    assert(tuples.mapWithVersion(catalog, col("b"))((t: (Long, String), _: Bytes) => s"${t._1}-${t._2}")(strings).collect().toSet == Set("0-v1", "1-v2", "2-v3"))
    val longs = spark.range(3).as[java.lang.Long](Encoders.LONG)
    assert(longs.mapWithVersion(catalog, lit("v2"))((n: java.lang.Long, v: Bytes) => s"$n ${text(v)}")(strings).collect().toSet ==
      Set("0 value of v2", "1 value of v2", "2 value of v2"))
    val single = spark.createDataset(java.util.Arrays.asList("v1", "v3"))(strings)
    assert(single.mapWithVersion(catalog, col("value"))((s: String, v: Bytes) => s"$s ${text(v)}")(strings).collect().toSet == Set("v1 value of v1", "v3 value of v3"))
    val options = spark.createDataset(java.util.Arrays.asList(Renamed(1, None), Renamed(2, Some("v2"))))(Encoders.product[Renamed])
    assert(options.mapWithVersion(catalog, lit("v1"))((r: Renamed, _: Bytes) => r.toString)(strings).collect().toSet == Set("Renamed(1,None)", "Renamed(2,Some(v2))"))
    val schema = new StructType().add("id", LongType).add("inner", new StructType().add("x", IntegerType).add("v", StringType)).add("null", StringType)
    val nested = spark.createDataFrame(java.util.Arrays.asList(Row(1L, Row(7, "v3"), null)), schema)
    assert(nested.mapWithVersion(catalog, col("inner.v"))((r: Row, v: Bytes) => s"$r ${text(v)}")(strings).collect().toSeq == Seq("[1,[7,v3],null] value of v3"))
  }

  test("a DataFrame with two columns of one name keeps both") {
    val rows = members(3).select(col("id"), col("id"), col("version"))
    assert(rows.mapWithVersion(catalog, col("version"))((r: Row, v: Bytes) => s"${r.getLong(1)} ${r.getString(2)} ${text(v)}")(strings).collect().toSet ==
      Set("0 v1 value of v1", "1 v2 value of v2", "2 v3 value of v3"))
  }

  test("a version column that is a number is compared as text") {
    val numbers = VersionedData.catalog(spark, "numbers", Seq("1", "10", "2").map(n => Version(n, source(directory, s"n$n", n))), Loader.bytes)
    try {
      val rows = spark.createDataset(java.util.Arrays.asList[Integer](1, 2, 10, 2))(Encoders.INT)
      assert(rows.mapWithVersion(numbers, col("value"))((n: Integer, v: Bytes) => s"$n=${text(v)}")(strings).collect().sorted.toSeq == Seq("10=10", "1=1", "2=2", "2=2"))
      assert(numbers.versions == Seq("1", "10", "2"))
    } finally numbers.close()
  }

  test("empty partitions and an empty Dataset cost no attempt") {
    val before = stats(spark)("hits") + stats(spark)("loads")
    val rows = members(50, 20).filter(col("id") < 0)
    assert(rows.mapWithVersion(catalog, col("version"))((_: Row, v: Bytes) => text(v))(strings).collect().isEmpty)
    assert(stats(spark)("hits") + stats(spark)("loads") == before)
  }

  test("an unknown version fails the job with an error that names dataset and version") {
    val rows = members(10).withColumn("version", lit("v9"))
    val e = intercept[Exception](rows.mapWithVersion(catalog, col("version"))((_: Row, v: Bytes) => text(v))(strings).collect())
    val unknown = causeOf[UnknownVersionException](e)
    assert(unknown.code == 100)
    assert(unknown.getMessage.contains("'v9'") && unknown.getMessage.contains("'letters'") && unknown.getMessage.contains("v1, v2, v3"))
    eventually(s"leases ${stats(spark)}")(stats(spark)("leases") == 0)
  }

  test("a null version fails the job too, with a code of its own") {
    val rows = members(10).withColumn("version", lit(null).cast("string"))
    val e = intercept[Exception](rows.mapWithVersion(catalog, col("version"))((_: Row, v: Bytes) => text(v))(strings).collect())
    assert(causeOf[UnknownVersionException](e).code == 101)
  }

  test("an empty version is an unknown one") {
    val rows = members(10).withColumn("version", lit(""))
    val e = intercept[Exception](rows.mapWithVersion(catalog, col("version"))((_: Row, v: Bytes) => text(v))(strings).collect())
    assert(causeOf[UnknownVersionException](e).code == 100)
  }

  test("Missing.Skip drops rows with null or unknown versions and counts them") {
    val skipping = catalog.missing(Missing.Skip)
    val before = skipping.skippedRows
    val rows = members(30).selectExpr("id", "case when id % 10 = 0 then null when id % 10 = 1 then 'nowhere' else version end as version")
    assert(rows.mapWithVersion(skipping, col("version"))((r: Row, _: Bytes) => r.getLong(0))(Encoders.scalaLong).collect().length == 24)
    assert(skipping.skippedRows - before == 6)
  }

  test("what is given no rows refuses Missing.Skip, and says what to use") {
    val skipping = catalog.missing(Missing.Skip)
    val java = new org.apache.spark.sql.api.java.UDF2[Long, Bytes, String] { override def call(id: Long, value: Bytes): String = text(value) }
    val refused = Seq[(String, () => Any)](
      "a cursor" -> (() => skipping.cursor()), "a cursor" -> (() => skipping.cursor(ordered = true)), "a udf" -> (() => skipping.udf((_: Long, value: Bytes) => text(value))),
      "a udf" -> (() => skipping.udf(java, StringType)),
      "mapPartitionsWithCursor" -> (() => members(3).mapPartitionsWithCursor(skipping)((rows: Iterator[Row], _: Cursor[Bytes]) => rows.map(_.toString))(strings)))
    for ((what, action) <- refused) {
      val e = intercept[SettingException](action())
      for (part <- Seq(what, "'letters'", "mapWithVersion", "cursor.contains")) assert(e.code == 403 && e.getMessage.contains(part), e.getMessage)
    }
    assert(skipping.missing(Missing.Fail).cursor().contains("v1"))
    val unknown = intercept[UnknownVersionException](catalog.lease("v9"))
    assert(unknown.getMessage.contains("let mapWithVersion drop such rows"), unknown.getMessage)
  }

  test("the local sort stays in the plan under a group-by, an order-by, a join and a partitioned write") {
    val encoder = Encoders.tuple(Encoders.scalaLong, Encoders.STRING)
    val mapped = members(300).mapWithVersion(catalog, col("version"))((r: Row, v: Bytes) => (r.getLong(0), text(v)))(encoder)
    // A cursor moves three times in each of the five partitions; without the sort it would with every row.
    def moves(runs: Int)(action: => Unit): Unit = {
      val before = stats(spark)
      action
      val after = stats(spark)
      val moved = after("hits") + after("loads") - before("hits") - before("loads")
      assert(moved >= 15 && moved <= 15 * runs, s"$moved moves in $runs runs")
    }
    val plans = Seq(
      mapped.groupBy("_2").count(),
      mapped.orderBy("_2"),
      mapped.join(spark.range(300).toDF("other"), col("_1") === col("other")),
      mapped.repartition(2))
    plans.foreach { plan =>
      moves(runs = 2)(plan.collect(): Unit) // an order-by runs its input twice
      val text = plan.queryExecution.executedPlan.toString
      assert(text.linesIterator.exists(line => line.contains("Sort [") && line.contains("_2") && line.contains("false, 0")), text)
    }
    assert(mapped.groupBy("_2").count().collect().map(_.getLong(1)).toSeq == Seq(100L, 100L, 100L))
    val target = directory.resolve("written").toString
    moves(runs = 1)(mapped.write.partitionBy("_2").parquet(target))
    val written = spark.read.parquet(target).select(col("_1"), col("_2").cast("string")).collect().map(row => row.getLong(0) -> row.getString(1))
    assert(written.toSet == (0 until 300).map(i => (i.toLong, s"value of v${i % 3 + 1}")).toSet)
  }

  test("each task goes through the versions in their order, once") {
    val before = stats(spark)
    val order = members(3000, 4).mapWithVersion(catalog, col("version"))((r: Row, _: Bytes) => r.getString(1))(strings)
      .mapPartitions((versions: Iterator[String]) => Iterator(versions.foldLeft(Vector.empty[String])((seen, v) => if (seen.lastOption.contains(v)) seen else seen :+ v).mkString(",")))(strings)
    assert(order.collect().toSet == Set("v1,v2,v3"))
    val after = stats(spark)
    assert(after("hits") + after("loads") - before("hits") - before("loads") <= 12 + 3)
  }

  test("several versions in a row: chained calls hold one version each") {
    val rows = members(40).withColumn("second", lit("v1"))
    val first = rows.mapWithVersion(catalog, col("version"))((r: Row, v: Bytes) => (r.getLong(0), text(v), r.getString(2)))(
      Encoders.tuple(Encoders.scalaLong, Encoders.STRING, Encoders.STRING))
    val both = first.mapWithVersion(catalog, col("_3"))((t: (Long, String, String), v: Bytes) => s"${t._1} ${t._2} ${text(v)}")(strings).collect()
    assert(both.toSet == (0 until 40).map(i => s"$i value of v${i % 3 + 1} value of v1").toSet)
    assert(stats(spark)("leases") == 0)
  }

  test("an iterator that is not read to its end releases its version with the task") {
    assert(members(1000).mapWithVersion(catalog, col("version"))((r: Row, _: Bytes) => r.getLong(0))(Encoders.scalaLong).limit(3).collect().length == 3)
    assert(stats(spark)("leases") == 0)
  }

  test("a cursor by hand in mapPartitions gives the same") {
    val rows = members(100).sortWithinPartitions("version").mapPartitionsWithCursor(catalog) { (rows: Iterator[Row], cursor: Cursor[Bytes]) =>
      rows.map(row => s"${row.getLong(0)} ${text(cursor.advance(row.getString(1)))}")
    }(strings).collect()
    assert(rows.toSet == (0 until 100).map(i => s"$i value of v${i % 3 + 1}").toSet)
    assert(stats(spark)("leases") == 0)
  }

  test("a column function gives the same, and its sort stays under a group-by") {
    val f = catalog.udf((id: Long, value: Bytes) => s"$id ${text(value)}")
    val rows = members(100).sortWithinPartitions("version").select(f(col("version"), col("id")).as("x"))
    assert(rows.collect().map(_.getString(0)).toSet == (0 until 100).map(i => s"$i value of v${i % 3 + 1}").toSet)
    val grouped = rows.groupBy("x").count()
    assert(grouped.collect().length == 100)
    assert(grouped.queryExecution.executedPlan.toString.linesIterator.exists(line => line.contains("Sort [version")), grouped.queryExecution.executedPlan)
    assert(stats(spark)("leases") == 0)
  }

  /** A stream of the lines `v1` to `v3`, twenty of each in each of two files, which are two batches. */
  private def lines(name: String) = {
    val folder = java.nio.file.Files.createDirectory(directory.resolve(name))
    for (file <- 1 to 2) source(folder, s"$file.txt", (0 until 60).map(i => names(i % 3)).mkString("\n"))
    spark.readStream.option("maxFilesPerTrigger", "1").text(folder.toString)
  }

  /** Runs the stream to its end and collects the rows that `each` returns for every batch. */
  private def collected(stream: DataFrame)(each: DataFrame => Array[String]): Seq[Seq[String]] = {
    val batches = new java.util.concurrent.ConcurrentLinkedQueue[Seq[String]]
    val function = new VoidFunction2[DataFrame, java.lang.Long] {
      override def call(batch: DataFrame, id: java.lang.Long): Unit = batches.add(each(batch).toSeq): Unit
    }
    // Not an option of the writer, whose signature is another one from Spark 4 on.
    spark.conf.set("spark.sql.streaming.checkpointLocation", java.nio.file.Files.createTempDirectory(directory, "check").toString)
    val query = stream.writeStream.trigger(Trigger.AvailableNow()).foreachBatch(function).start()
    try assert(query.awaitTermination(60000))
    finally query.stop()
    batches.toArray(Array.empty[Seq[String]]).toSeq
  }

  private val twoBatches = Seq.fill(2)(names.flatMap(name => Seq.fill(20)(s"value of $name")))

  test("a streaming DataFrame is refused with the way out, which works") {
    val stream = lines("refused")
    for (call <- Seq[() => Any](
        () => stream.mapWithVersion(catalog, col("value"))((_: Row, v: Bytes) => text(v))(strings),
        () => stream.mapPartitionsWithCursor(catalog)((_: Iterator[Row], _: Cursor[Bytes]) => Iterator.empty)(strings))) {
      val e = intercept[SettingException](call())
      assert(e.getMessage.contains("'letters'") && e.getMessage.contains("foreachBatch"))
    }
    val way = catalog // what a closure takes along must not be the suite
    assert(collected(stream)(batch => batch.mapWithVersion(way, col("value"))((_: Row, v: Bytes) => text(v))(strings).collect().sorted) == twoBatches)
    assert(stats(spark)("leases") == 0)
  }

  test("a column function works in each batch of a streaming DataFrame") {
    val f = catalog.udf((version: String, value: Bytes) => s"${text(value)}".take(9) + version)
    val stream = lines("function").select(f(col("value"), col("value")).as("x"))
    assert(collected(stream)(batch => batch.collect().map(_.getString(0)).sorted) == twoBatches)
    assert(stats(spark)("leases") == 0 && stats(spark)("attempts") == 0)
  }

  test("a cached result leaves no lease") {
    val cached = members(60).mapWithVersion(catalog, col("version"))((r: Row, v: Bytes) => r.getLong(0) + v.size)(Encoders.scalaLong).cache()
    assert(cached.count() == 60 && cached.count() == 60)
    cached.unpersist(blocking = true)
    assert(stats(spark)("leases") == 0 && stats(spark)("attempts") == 0)
  }
}
