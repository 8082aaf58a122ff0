package andiron.internal.source

import java.time.Instant

import andiron._
import andiron.testing.Sparks._
import andiron.testing.SuiteRunner

import org.apache.spark.sql.{DataFrame, Row, SparkSession}
import org.apache.spark.sql.functions.{array, col, lit}
import org.junit.runner.RunWith
import org.scalatest.BeforeAndAfterAll
import org.scalatest.funsuite.AnyFunSuite

/** Versions of tables as rows: in SQL, and by Spark's reader. */
@RunWith(classOf[SuiteRunner])
class TableSourceSuite extends AnyFunSuite with BeforeAndAfterAll {
  private val directory = java.nio.file.Files.createTempDirectory("table-source")
  private var spark: SparkSession = _

  override def beforeAll(): Unit =
    spark = start("local[2]", "spark.plugins" -> "andiron.AndironPlugin", "spark.sql.catalog.andiron.warehouse" -> directory.toUri.toString)

  override def afterAll(): Unit = {
    stop(spark)
    delete(directory)
  }

  private def uri(name: String): String = directory.resolve(name).toUri.toString.stripSuffix("/")

  private def rows(of: DataFrame): Seq[Row] = of.collect().toSeq.sortBy(_.toString)

  private def nothingLeased(): Unit = eventually("leases are released")(stats(spark).figures.getOrElse("leases", 0L) == 0)

  /** Three versions: rows are changed, removed and added; a column is widened, another one added. */
  private def published(name: String): (Table, Seq[DataFrame]) = {
    val table = VersionedData.table(spark, uri(name))
    val first = spark.range(0, 3000).select(col("id"), (col("id") % 7).cast("int").as("n"), col("id").cast("string").as("text"))
    val second = spark.range(100, 3100).select(col("id"), (col("id") % 7 + (col("id") % 50 === 0).cast("int") * 5000000000L).as("n"), col("id").cast("string").as("text"))
    val third = second.where(col("id") % 11 =!= 0).withColumn("tags", array(col("text"), lit(null).cast("string")))
    val all = Seq(first, second, third)
    all.zipWithIndex.foreach { case (rows, n) => table.publish(rows, s"v$n", Seq("id"), Some(Instant.ofEpochSecond(1000L * n)), isBase = false, shards = 8) }
    (table, all)
  }

  test("SQL reads each version with its own columns, by name and by time, and the newest one without either") {
    val (table, all) = published("features")
    all.zipWithIndex.foreach { case (expected, n) =>
      assert(rows(spark.sql(s"SELECT * FROM andiron.features VERSION AS OF 'v$n'")) == rows(expected), n)
      assert(spark.sql(s"SELECT * FROM andiron.features VERSION AS OF 'v$n'").schema.map(f => f.name -> f.dataType) == expected.schema.map(f => f.name -> f.dataType))
      assert(rows(spark.sql(s"SELECT * FROM andiron.features TIMESTAMP AS OF timestamp_seconds(${1000 * n + 999})")) == rows(expected), n)
    }
    assert(rows(spark.table("andiron.features")) == rows(all.last))
    assert(spark.table("andiron.features").count() == all.last.count())
    val joined = spark.sql("SELECT count(*) FROM andiron.features VERSION AS OF 'v0' a JOIN andiron.features VERSION AS OF 'v1' b ON a.id = b.id AND a.n <> b.n")
    assert(joined.first().getLong(0) == all.head.as("a").join(all(1).as("b"), "id").where(col("a.n") =!= col("b.n")).count())
    assert(spark.sql("SHOW TABLES IN andiron").collect().map(_.getString(1)).toSeq.contains("features"))
    table.register("by_name")
    assert(spark.sql("SELECT n FROM andiron.by_name VERSION AS OF 'v1' WHERE id = 150").first().getLong(0) == 150 % 7 + 5000000000L)
    nothingLeased()
  }

  test("a version is a DataFrame, of which the chosen columns are read only; versions that are published later are seen") {
    val (table, all) = published("read")
    assert(rows(table.read("v1").select("text").where(col("id") < 200)) == rows(all(1).select("id", "text").where(col("id") < 200).select("text")))
    val plan = table.read("v1").select("text").queryExecution.executedPlan.toString
    assert(plan.contains("AndironTable") && plan.contains("text") && !plan.contains("n#"), plan)
    assert(rows(spark.table("andiron.read")) == rows(all.last))
    table.publish(all.last.limit(5), "v3")
    assert(spark.table("andiron.read").count() == 5 && table.read("v0").count() == 3000)
    // What was read is published: nothing differs.
    table.publish(table.read("v1"), "again", Nil, None, isBase = false, shards = 0)
    assert(rows(table.read("again")) == rows(all(1)))
    nothingLeased()
  }

  test("refusals name table and remedy") {
    val (table, _) = published("refused")
    val error = causeOf[UnknownVersionException](intercept[Throwable](spark.sql("SELECT * FROM andiron.refused VERSION AS OF 'v9'").collect()))
    assert(error.getMessage.contains("v9") && error.getMessage.contains(table.uri))
    assert(intercept[Throwable](spark.sql("SELECT * FROM andiron.refused TIMESTAMP AS OF '1960-01-01'").collect()).getMessage.contains("1960"))
    assert(intercept[Throwable](spark.sql("SELECT * FROM andiron.nowhere").collect()).getMessage.contains("nowhere"))
    assert(intercept[Throwable](spark.sql("DROP TABLE andiron.refused")).getMessage.contains("read-only"))
    assert(intercept[UnknownVersionException](table.read("v9")).getMessage.contains("v9"))
    assert(intercept[IllegalArgumentException](spark.read.format(classOf[VersionSource].getName).load()).getMessage.contains("table.read"))
    nothingLeased()
  }
}
