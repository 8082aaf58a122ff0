package andiron.internal.metrics

import java.nio.file.Files

import andiron._
import andiron.testing.MetricsSparks._
import andiron.testing.Sparks._
import andiron.testing.SuiteRunner

import org.apache.spark.sql.{DataFrame, Encoder, Encoders, Row, SparkSession}
import org.apache.spark.sql.functions.col
import org.apache.spark.sql.types.{LongType, StructType}
import org.junit.runner.RunWith
import org.scalatest.BeforeAndAfterAll
import org.scalatest.funsuite.AnyFunSuite

/** `saveAsTable` with `overwrite`, which drops the table before it asks a gate: the rule R7 of docs/internals/gates.md. */
@RunWith(classOf[SuiteRunner])
class GateOverwriteSuite extends AnyFunSuite with BeforeAndAfterAll {
  private var spark: SparkSession = _
  private val directory = Files.createTempDirectory("gate-overwrite")
  private implicit val longs: Encoder[Long] = Encoders.scalaLong

  override def beforeAll(): Unit = {
    val warehouse = "spark.sql.warehouse.dir" -> directory.resolve("warehouse").toString
    spark = start("local[2]", settings(directory) :+ warehouse: _*)
  }

  override def afterAll(): Unit = {
    stop(spark)
    delete(directory)
  }

  private def rdd(step: Step) = step.map(spark.sparkContext.range(0, 100, 1, 2))(n => if (n < 51) sys.error("no history") else n)

  private def rows(step: Step): DataFrame =
    step.map(spark.range(0, 100, 1, 2))(n => if (n < 51) sys.error("no history") else n.longValue).toDF("id")

  private def kept(name: String)(body: => Unit): Unit = {
    spark.range(5).write.mode("overwrite").saveAsTable(name)
    try {
      body
      assert(spark.table(name).count() == 5)
    } finally spark.sql(s"DROP TABLE $name")
  }

  private def refused(body: => Unit): Unit = {
    val refusal = intercept[GateException](body)
    assert(refusal.code == ErrorCode.Unguarded && refusal.getMessage.contains("insertInto") && refusal.step == "table", refusal)
  }

  private def gated(name: String)(body: Step => Unit): Unit = test(name) {
    val step = Step(spark, "table")
    Gate(step): Unit
    try body(step)
    finally step.close()
  }

  for ((what, made) <- Seq[(String, Step => DataFrame)](
      "a Dataset" -> (rows(_)),
      "columns of it" -> (rows(_).select((col("id") + 1).as("id")).where("id > 0")),
      "a join" -> (step => rows(step).as("a").join(rows(step).as("b"), col("a.id") === col("b.id")).select("a.id")),
      "a union" -> (step => spark.range(10).toDF().union(rows(step))),
      "a cache" -> (step => rows(step).cache()),
      "a view" -> { step => rows(step).createOrReplaceTempView("of_step"); spark.sql("SELECT id + 1 AS id FROM of_step") },
      "a sub-query" -> (inSql(_, "id < (SELECT max(id) FROM of_step)")),
      "one that must exist" -> (inSql(_, "EXISTS (SELECT 1 FROM of_step WHERE of_step.id = all_ids.id)")),
      "a list that a query gives" -> (inSql(_, "id IN (SELECT id + 1 FROM of_step)")),
      "another step's result" -> { step =>
        val other = Step(spark, "other")
        other.map(rows(step).as[Long])(_ + 1).toDF("id")
      },
      "an RDD" -> (step => spark.createDataset(rdd(step)).toDF("id")),
      "an RDD of rows" -> (step => spark.createDataFrame(rdd(step).map(n => Row(n)), new StructType().add("id", LongType))),
      "an RDD that is cached" -> (step => spark.createDataset(rdd(step).cache()).toDF("id")),
      "a Dataset's RDD" -> (step => spark.createDataFrame(rows(step).rdd, new StructType().add("id", LongType))),
      "a local checkpoint" -> (step => rows(step).localCheckpoint())))
    gated(s"the table outlives an overwrite by $what") { step =>
      val out = made(step)
      kept("overwritten")(refused(out.write.mode("overwrite").saveAsTable("overwritten")))
      kept("partitioned")(refused(out.write.mode("overwrite").partitionBy("id").format("orc").saveAsTable("default.partitioned")))
    }

  private def inSql(step: Step, condition: String): DataFrame = {
    rows(step).createOrReplaceTempView("of_step")
    spark.range(100).createOrReplaceTempView("all_ids")
    spark.sql(s"SELECT id FROM all_ids WHERE $condition")
  }

  gated("a step that is gated after its rows were made") { _ =>
    val late = Step(spark, "table")
    val out = rows(late)
    Gate(late): Unit
    kept("late")(refused(out.write.mode("overwrite").saveAsTable("late")))
    late.close()
  }

  gated("what drops no table is left to the commit") { step =>
    val good = step.map(spark.range(100))(_.longValue).toDF("id")
    good.write.mode("overwrite").saveAsTable("absent")
    good.write.mode("append").saveAsTable("absent")
    assert(spark.table("absent").count() == 200)
    good.write.mode("overwrite").insertInto("absent")
    assert(spark.table("absent").count() == 100)
    spark.sql("DROP TABLE absent")
  }

  gated("what no gate stands on is overwritten") { _ =>
    val free = Step(spark, "free")
    kept("free")(free.map(spark.range(5))(_.longValue).toDF("id").write.mode("overwrite").saveAsTable("free"))
    kept("plain")(spark.range(5).write.mode("overwrite").saveAsTable("plain"))
    free.close()
  }

  gated("a guard lets it drop the table") { step =>
    val gate = Gate(step)
    kept("guarded")(Andiron.guard(gate)(step.map(spark.range(5))(_.longValue).toDF("id").write.mode("overwrite").saveAsTable("guarded")))
  }

  test("the optimised plan is that of a mapPartitions") {
    val step = Step(spark, "plan")
    val plan = rows(step).queryExecution
    assert(plan.analyzed.toString.contains("andiron_step"), plan.analyzed)
    assert(!plan.optimizedPlan.toString.contains("andiron_step"), plan.optimizedPlan)
    assert(rows(step).as("t").select("t.id").columns.toSeq == Seq("id"))
    val wrong = intercept[Exception](rows(step).select("idd")).getMessage.takeWhile(_ != '\n')
    assert(wrong.contains("id") && !wrong.contains("andiron_step"), wrong)
    step.close()
  }
}
