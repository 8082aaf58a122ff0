package andiron.internal.composition

import andiron._
import andiron.testing.MetricsSparks._
import andiron.testing.Sparks._
import andiron.testing.SuiteRunner

import org.apache.spark.sql.{DataFrame, Encoder, Encoders, Row, SparkSession}
import org.apache.spark.sql.functions.{col, expr}
import org.junit.runner.RunWith
import org.scalatest.BeforeAndAfterAll
import org.scalatest.funsuite.AnyFunSuite

/** Steps whose function reads the version that a row names. */
@RunWith(classOf[SuiteRunner])
class VersionedStepsSuite extends AnyFunSuite with BeforeAndAfterAll {
  private implicit val texts: Encoder[String] = Encoders.STRING
  private val directory = java.nio.file.Files.createTempDirectory("versioned-steps")
  private var spark: SparkSession = _

  override def beforeAll(): Unit = spark = start("local[2]", settings(directory): _*)

  override def afterAll(): Unit = {
    stop(spark)
    delete(directory)
  }

  /** Ids from 0 on; one in ten names no version, another one a version that does not exist. */
  private def rows(n: Long): DataFrame =
    spark.range(0, n, 1, 4).select(col("id"), expr("case id % 10 when 3 then null when 7 then 'lost' else concat('v', id % 2) end").as("day"))

  private def catalog(loader: Loader[String]): Catalog[String] =
    VersionedData.catalog(spark, "days", Seq("v0", "v1").map(name => Version(name, source(directory, name, name))), loader)

  private val names: Loader[String] = Loader.custom((version: Version) => s"the ${version.name}")((_: String) => 100L)

  private def counts(step: Step): Seq[Long] = {
    assert(step.figures.exact, step.figures.reason)
    Seq("in", "out", "dropped").map(step.figures.counters)
  }

  private def samples(step: Step): Seq[(String, String, String)] =
    step.failures.orderBy("row_key").select("row_key", "version", "error_class").collect().map(row => (row.getString(0), row.getString(1), row.getString(2))).toSeq

  private def nothingLeased(): Unit = eventually("leases are released")(stats(spark).figures.getOrElse("leases", 0L) == 0)

  test("rows without a known version are dropped, counted and sampled with its name, and the function's failures as ever") {
    val step = Step(spark, "days")
    val days = catalog(names)
    val made = step.keyed[Row](_.getLong(0)).mapWithVersion(rows(20), days, col("day")) { (row, value) =>
      if (row.getLong(0) == 5) sys.error("five") else s"${row.getLong(0)} of $value"
    }
    val expected = (0L until 20L).filterNot(id => Set(3L, 7L)(id % 10) || id == 5).map(id => s"$id of the v${id % 2}")
    assert(made.collect().toSeq.sorted == expected.sorted)
    assert(counts(step) == Seq(20, 15, 5))
    val unknown = classOf[UnknownVersionException].getName
    assert(samples(step) == Seq(
      ("13", "null", unknown), ("17", "lost", unknown), ("3", "null", unknown), ("5", "v1", classOf[RuntimeException].getName), ("7", "lost", unknown)))
    nothingLeased()
    days.close()
    step.close()
  }

  test("a version that cannot be loaded fails the task, and drops no row") {
    val step = Step(spark, "broken")
    val days = catalog(Loader.custom((version: Version) => if (version.name == "v1") sys.error("a broken source") else version.name)((_: String) => 100L))
    val error = intercept[Throwable](step.mapWithVersion(rows(20), days, col("day"))((row: Row, value: String) => s"$row $value").collect())
    assert(causeOf[LoadException](error).getMessage.contains("a broken source"))
    assert(step.figures.counters.getOrElse("dropped", 0L) <= 4, "the rows without a version")
    assert(step.failures.where(s"error_class <> '${classOf[UnknownVersionException].getName}'").count() == 0)
    nothingLeased()
    days.close()
    step.close()
  }

  test("rows of a table: a key without a record is dropped if the function says so, and a gate judges it") {
    val table = VersionedData.table(spark, directory.resolve("table").toUri.toString)
    table.publish(spark.range(0, 18).selectExpr("id", "concat('old ', id) as text"), "v0", Seq("id"))
    table.publish(spark.range(0, 19).selectExpr("id", "concat('new ', id) as text"), "v1")
    val step = Step(spark, "table")
    val made = step.keyed[Row](_.getLong(0)).group((_, error) => error.getClass.getSimpleName)
      .mapWithVersion(rows(20), table, col("day"))((row, version) => version.get(row.getLong(0)).get.getString(1))
    val expected = (0L until 19L).filterNot(id => Set(3L, 7L)(id % 10) || id == 18).map(id => s"${if (id % 2 == 0) "old" else "new"} $id")
    assert(made.collect().toSeq.sorted == expected.sorted)
    assert(counts(step) == Seq(20, 14, 6))
    assert(samples(step).collect { case (key, version, "java.util.NoSuchElementException") => (key, version) } == Seq("18" -> "v0", "19" -> "v1"))
    nothingLeased()
    val gated = Step(spark, "gated")
    Gate(gated, maxDropRatio = 0.1)
    val out = directory.resolve("out")
    val write = gated.mapWithVersion(rows(1000), table, col("day"))((row: Row, version: TableVersion) => s"${version.contains(row.getLong(0))}")
    assert(causeOf[GateException](intercept[Throwable](write.write.parquet(out.toString))).getMessage.contains("200 of 1000"))
    assert(files(out).isEmpty)
    gated.close()
    step.close()
  }

  test("a lookup in a step drops rows without a record, and says why") {
    val table = VersionedData.table(spark, directory.resolve("looked").toUri.toString)
    table.publish(spark.range(0, 18).selectExpr("id", "concat('old ', id) as text", "cast(null as int) as n"), "v0", Seq("id"))
    table.publish(spark.range(0, 19).selectExpr("id", "concat('new ', id) as text", "cast(id as int) as n"), "v1")
    val step = Step(spark, "lookup")
    val made = step.keyed[Row](_.getLong(0)).lookup(rows(20), table, Seq("id"), col("day"), Seq("n", "text"))
    assert(made.columns.toSeq == Seq("id", "day", "n", "text"))
    val expected = (0L until 19L).filterNot(id => Set(3L, 7L)(id % 10) || id == 18).map { id =>
      if (id % 2 == 0) Row(id, "v0", null, s"old $id") else Row(id, "v1", id.toInt, s"new $id")
    }
    assert(made.collect().toSeq.sortBy(_.getLong(0)) == expected)
    assert(counts(step) == Seq(20, 14, 6))
    val unknown = classOf[UnknownVersionException].getName
    val absent = classOf[NoSuchElementException].getName
    assert(samples(step) == Seq(
      ("13", "null", unknown), ("17", "lost", unknown), ("18", "v0", absent), ("19", "v1", absent), ("3", "null", unknown), ("7", "lost", unknown)))
    val sample = step.failures.where("row_key = '19'").first()
    assert(sample.getAs[String]("message").contains("no record of [id=19]") && sample.getAs[String]("record") == "[19,v1]")
    nothingLeased()
    step.close()
  }

  test("a lookup in a step shows rows as they were, by the name of the column that the user wrote") {
    val table = VersionedData.table(spark, directory.resolve("named").toUri.toString)
    table.publish(spark.range(0, 2).selectExpr("id", "concat('text ', id) as text"), "v0", Seq("id"))
    val step = Step(spark, "named")
    val days = spark.range(0, 4).selectExpr("id as ID", "'v0' as day", "named_struct('b', 100L) as a", "id as `a.b`")
    val rows = step.describe[Row](row => s"id ${row.getAs[Long]("ID")} of ${row.length}").version(_.getAs[String]("day"))
    assert(rows.lookup(days, table, Seq("id"), col("day")).select("ID", "text").collect().map(_.getString(1)).toSeq == Seq("text 0", "text 1"))
    val failures = step.failures.orderBy("record").select("record", "version", "message").collect().map(_.toSeq.mkString(" | ")).toSeq
    assert(failures.map(_.takeWhile(_ != ':')).toSeq.map(_.split(" \\| ").take(2).mkString(" ")) == Seq("id 2 of 4 v0", "id 3 of 4 v0"), failures)
    assert(failures.head.contains("[id=2]"), failures)
    // A flat column is not the field of a struct.
    val flat = days.lookup(table, Map("a.b" -> "id"), col("day"), Seq("text"), Missing.Fail).select("text").collect().map(_.getString(0)).toSeq
    assert(flat == Seq("text 0", "text 1", null, null))
    val taken = spark.range(1).selectExpr("id", "'v0' as day", "1 as __Andiron_version")
    assert(intercept[SettingException](step.lookup(taken, table, Seq("id"), col("day"))).getMessage.contains("__Andiron_version"))
    nothingLeased()
    step.close()
  }

  test("rows without columns and streams are refused") {
    val step = Step(spark, "refused")
    val days = catalog(names)
    assert(intercept[SettingException](step.mapWithVersion(spark.range(3).select(), days, col("day"))((_: Row, value: String) => value)).getMessage.contains("column"))
    assert(intercept[SettingException](
      step.mapWithVersion(spark.readStream.format("rate").load(), days, col("value"))((_: Row, value: String) => value)).getMessage.contains("streaming"))
    days.close()
    step.close()
  }
}
