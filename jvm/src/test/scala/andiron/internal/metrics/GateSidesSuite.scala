package andiron.internal.metrics

import java.nio.file.Path

import andiron._
import andiron.testing.MetricsSparks._
import andiron.testing.Sparks._
import andiron.testing.{Logged, SuiteRunner}

import org.apache.spark.sql.{DataFrame, Encoders, SparkSession}
import org.apache.spark.sql.functions.{broadcast, col}
import org.junit.runner.RunWith
import org.scalatest.BeforeAndAfterAll
import org.scalatest.funsuite.AnyFunSuite

/** Steps whose rows get into a write by a broadcast or a sub-query below `Dataset.rdd` or a checkpoint: no lineage has them. */
@RunWith(classOf[SuiteRunner])
class GateSidesSuite extends AnyFunSuite with BeforeAndAfterAll {
  private var spark: SparkSession = _
  private val directory = java.nio.file.Files.createTempDirectory("gate-sides")

  override def beforeAll(): Unit = {
    spark = start("local[4]", settings(directory) :+ ("spark.sql.shuffle.partitions" -> "4"): _*)
    spark.sparkContext.setCheckpointDir(directory.resolve("checkpoints").toString)
    spark.range(0, 1000, 1, 4).toDF("value").write.parquet(to("files").toString)
  }

  override def afterAll(): Unit = {
    stop(spark)
    delete(directory)
  }

  private def to(name: String): Path = directory.resolve(name)

  private def all: DataFrame = spark.range(0, 1000, 1, 4).toDF("value")

  /** The thousand rows, of which the first `bad` are dropped. */
  private def rows(step: Step, bad: Int): DataFrame =
    step.map(spark.range(0, 1000, 1, 4))(n => if (n < bad) sys.error(s"no history of $n") else n.longValue)(Encoders.scalaLong).toDF("value")

  private val uses = Seq[(String, DataFrame => DataFrame)](
    "a broadcast side" -> (side => all.join(broadcast(side), "value")),
    "the broadcast side of a loop" -> (side => all.as("a").join(broadcast(side.as("b")), col("a.value") < col("b.value")).where("b.value > 990").select("a.value")),
    "a broadcast side of a broadcast side" -> (side => all.join(broadcast(all.join(broadcast(side), "value")), "value")),
    "a broadcast side below a shuffle" -> (side => all.join(broadcast(side), "value").groupBy("value").count().select("value")),
    "two broadcast sides" -> (side => all.join(broadcast(all), "value").join(broadcast(side), "value")),
    "a sub-query" -> { side =>
      side.createOrReplaceTempView("side")
      spark.sql("SELECT id AS value FROM range(2000) WHERE id < (SELECT max(value) FROM side)")
    },
    "a sub-query over files" -> { side =>
      side.createOrReplaceTempView("side")
      spark.read.parquet(to("files").toString).createOrReplaceTempView("files")
      spark.sql("SELECT value FROM files WHERE value < (SELECT max(value) FROM side)")
    },
    "one that must exist" -> { side =>
      side.hint("broadcast").createOrReplaceTempView("side")
      spark.sql("SELECT id AS value FROM range(1000) a WHERE EXISTS (SELECT 1 FROM side WHERE side.value = a.id)")
    },
    "a cache on a broadcast side" -> (side => all.join(broadcast(side.cache()), "value")),
    "a checkpoint on a broadcast side" -> (side => all.join(broadcast(side.localCheckpoint()), "value")),
    "Dataset.rdd on a broadcast side" -> (side => all.join(broadcast(again(side)), "value")))

  private def again(rows: DataFrame): DataFrame = spark.createDataFrame(rows.rdd, rows.schema)

  private val cuts = Seq[(String, DataFrame => DataFrame)](
    "Dataset.rdd" -> again, "localCheckpoint" -> (_.localCheckpoint()), "checkpoint" -> (_.checkpoint()),
    "an RDD that is cached" -> { rows =>
      val kept = rows.rdd.cache()
      assert(kept.count() > 0)
      spark.createDataFrame(kept, rows.schema)
    })

  private val plans = Seq[(String, Seq[(String, String)])](
    "" -> Nil,
    " without adaptive execution" -> Seq("spark.sql.adaptive.enabled" -> "false"),
    " without generated code" -> Seq("spark.sql.codegen.wholeStage" -> "false", "spark.sql.adaptive.enabled" -> "false"))

  private def under[T](settings: Seq[(String, String)])(body: => T): T = {
    val session = spark
    settings.foreach { case (key, value) => session.conf.set(key, value) }
    try body
    finally settings.foreach { case (key, _) => session.conf.unset(key) }
  }

  private def gated(name: String)(body: (Step, Path) => Unit): Unit = test(name) {
    val step = Step(spark, name)
    Gate(step, maxDropRatio = 0.01)
    // A gate that another write has asked is not told as never asked.
    rows(step, 0).write.parquet(to(s"$name before").toString)
    try body(step, to(name))
    finally {
      spark.catalog.clearCache()
      step.close()
    }
  }

  private val first = Set("a broadcast side", "a sub-query over files")

  for ((use, through) <- uses; (cut, by) <- cuts; (plan, settings) <- plans if cut == "Dataset.rdd" && plan.isEmpty || first(use) && (cut == "Dataset.rdd" || plan.isEmpty))
    gated(s"$use through $cut$plan") { (step, path) =>
      under(settings) {
        val failure = causeOf[GateException](intercept[Exception](by(through(rows(step, 500))).write.parquet(path.toString)))
        assert(failure.code == 200 && failure.getMessage.contains("500 of 1000"), failure)
        assert(files(path) == Nil)
        by(through(rows(step, 0))).write.mode("append").parquet(path.toString)
        assert(spark.read.parquet(path.toString).select("value").collect().toSet == through(all).select("value").collect().toSet)
      }
    }

  gated("a step on both sides is judged as a whole") { (step, path) =>
    val good = rows(step, 0)
    again(good.join(broadcast(good.withColumnRenamed("value", "v")), good("value") === col("v"))).write.parquet(path.toString)
    assert(spark.read.parquet(path.toString).count() == 1000)
  }

  private val emptied = Seq[(String, DataFrame => DataFrame)](
    "the whole plan" -> (rows => rows.repartition(2, col("value"))),
    "a branch of a union" -> (rows => rows.repartition(2, col("value")).union(all.repartition(2, col("value")))),
    "a side of a join" -> (rows => all.repartition(3, col("value")).join(rows.repartition(3, col("value")), Seq("value"), "left_outer")))

  for ((name, through) <- emptied; (cut, by) <- cuts if cut != "an RDD that is cached")
    gated(s"adaptive execution removes $name through $cut, since all rows were dropped") { (step, path) =>
      val failure = causeOf[GateException](intercept[Exception](by(through(rows(step, 1000))).write.parquet(path.toString)))
      assert(failure.code == 200 && failure.getMessage.contains("1000 of 1000"), failure)
      assert(files(path) == Nil)
      by(through(rows(step, 0))).write.mode("append").parquet(path.toString)
      assert(spark.read.parquet(path.toString).select("value").collect().toSet == all.collect().toSet)
    }

  /** The result depends on a side that adaptive execution removes, since a filter above the step drops all its rows. */
  private val decided = Seq[(String, DataFrame => DataFrame)](
    "what is not in a broadcast" -> (side => all.join(broadcast(side.where("value < 500")), Seq("value"), "left_anti")),
    "what is not in a shuffled side" -> (side => all.repartition(3).join(side.where("value < 500").hint("merge"), Seq("value"), "left_anti")),
    "a branch of a union" -> (side => all.where("value > 10").union(side.where("value < 11").repartition(2, col("value")))),
    "a left outer join" -> { side =>
      val few = side.where("value < 500").withColumnRenamed("value", "v")
      all.join(few.hint("merge"), col("value") === col("v"), "left_outer").select("value")
    })

  for ((name, through) <- decided; (cut, by) <- ("an ordinary write", identity[DataFrame] _) +: cuts)
    gated(s"$name, of which adaptive execution removes the step, by $cut") { (step, path) =>
      val failure = causeOf[GateException](intercept[Exception](by(through(rows(step, 500))).write.parquet(path.toString)))
      assert(failure.getMessage.contains("50 % of the rows were dropped, more than 1 %, or not: "), failure)
      assert(failure.getMessage.contains("adaptive execution has removed it from the plan"), failure)
      assert(files(path) == Nil)
    }

  gated("a side that gives nothing, since nothing passes a filter above it") { (step, path) =>
    all.join(broadcast(rows(step, 0).where("value < 0")), Seq("value"), "left_anti").write.parquet(path.toString)
    assert(spark.read.parquet(path.toString).count() == 1000)
  }

  private val removed = Seq[(String, DataFrame => DataFrame)](
    "a broadcast" -> (side => all.join(broadcast(side), Seq("value"), "left_anti")),
    "an aggregate" -> (side => all.union(side.groupBy("value").count().select("value"))),
    "a cached side" -> { side =>
      val kept = side.cache()
      assert(kept.count() == 0)
      all.join(broadcast(kept), Seq("value"), "left_anti")
    })

  for ((name, through) <- removed; (cut, by) <- cuts)
    gated(s"$name that is empty, since all rows were dropped, through $cut") { (step, path) =>
      val failure = causeOf[GateException](intercept[Exception](by(through(rows(step, 1000))).write.parquet(path.toString)))
      assert(failure.getMessage.contains("1000 of 1000"), failure)
      assert(files(path) == Nil)
    }

  gated("an RDD's step that adaptive execution removes below Dataset.rdd") { (step, path) =>
    val side = spark.createDataset(step.map(spark.sparkContext.range(0, 1000, 1, 4))(n => if (n >= 0) sys.error("no history") else n))(Encoders.scalaLong)
    val failure = causeOf[GateException](intercept[Exception](
      again(all.join(broadcast(side.toDF("value")), Seq("value"), "left_anti")).write.parquet(path.toString)))
    assert(failure.getMessage.contains("1000 of 1000"), failure)
  }

  gated("a cached plan of which it removes a step, through Dataset.rdd and told") { (step, path) =>
    val kept = all.join(broadcast(rows(step, 1000)), Seq("value"), "left_anti").cache()
    assert(kept.count() == 1000)
    causeOf[GateException](intercept[Exception](again(kept).write.parquet(path.toString)))
    causeOf[GateException](intercept[Exception](kept.write.mode("append").parquet(path.toString)))
    val (lines, _) = Logged.during("andiron.Gate") {
      kept.rdd.foreachPartition(_.foreach(_ => ()))
      Andiron.report(spark): Unit
    }
    assert(lines.count(_.contains(s"gate of step '${step.name}' did not judge this")) == 1, lines)
  }

  gated("a cache that is filled in the midst of another query has no part of it") { (step, path) =>
    val other = Step(spark, "in the midst")
    Gate(other, maxDropRatio = 0.01)
    val kept = rows(step, 0).repartition(3, col("value")).cache()
    val bad = rows(other, 500).repartition(3, col("value"))
    causeOf[GateException](intercept[Exception](bad.join(kept.repartition(2, col("value")), "value").write.parquet(path.toString)))
    again(kept).write.mode("append").parquet(path.toString)
    kept.write.mode("append").parquet(path.toString)
    assert(spark.read.parquet(path.toString).count() == 2000)
    other.close()
  }

  gated("a plan that was planned before another query was run has no part of it") { (step, path) =>
    val other = Step(spark, "in between")
    Gate(other, maxDropRatio = 0.01)
    val planned = rows(step, 0).repartition(3, col("value"))
    assert(planned.queryExecution.executedPlan.toString.nonEmpty)
    causeOf[GateException](intercept[Exception](rows(other, 500).repartition(3, col("value")).write.parquet(path.toString)))
    planned.localCheckpoint().write.mode("append").parquet(path.toString)
    assert(spark.read.parquet(path.toString).count() == 1000)
    other.close()
  }

  private def nested(side: DataFrame): DataFrame = {
    side.createOrReplaceTempView("nested_side")
    all.createOrReplaceTempView("nested_all")
    spark.sql("SELECT value, value + (SELECT max(value) FROM nested_side) AS w FROM nested_all")
  }

  for ((cut, by) <- cuts)
    gated(s"a sub-query in a broadcast, through $cut") { (step, path) =>
      causeOf[GateException](intercept[Exception](by(all.join(broadcast(nested(rows(step, 500))), "value")).write.parquet(path.toString)))
      assert(files(path) == Nil)
      by(all.join(broadcast(nested(rows(step, 0))), "value")).write.mode("append").parquet(path.toString)
      assert(spark.read.parquet(path.toString).count() == 1000)
    }

  gated("a sub-query in a broadcast of a cache") { (step, path) =>
    def kept(bad: Int): DataFrame = {
      val all = rows(step, 0).join(broadcast(nested(rows(step, bad))), "value").cache()
      assert(all.count() == 1000)
      all
    }
    causeOf[GateException](intercept[Exception](kept(500).write.parquet(path.toString)))
    assert(files(path) == Nil)
    kept(0).write.mode("append").parquet(path.toString)
  }

  gated("a sub-query of a sub-query") { (step, path) =>
    rows(step, 500).createOrReplaceTempView("nested_side")
    all.createOrReplaceTempView("nested_all")
    val inner = "SELECT max(value) FROM nested_all WHERE value < (SELECT max(value) FROM nested_side)"
    causeOf[GateException](intercept[Exception](again(spark.sql(s"SELECT value FROM nested_all WHERE value < ($inner)")).write.parquet(path.toString)))
    assert(files(path) == Nil)
  }

  private val hasRecursion = org.apache.spark.SPARK_VERSION.split('.').take(2).map(_.toInt).toSeq match {
    case Seq(major, minor) => major > 4 || major == 4 && minor >= 1
    case _                 => false
  }

  if (hasRecursion)
    gated("a recursion in a broadcast") { (step, path) =>
      def write(bad: Int): Unit = {
        rows(step, bad).createOrReplaceTempView("begins")
        val recursion = "WITH RECURSIVE r(n, value) AS (SELECT 0, value FROM begins UNION ALL SELECT n + 1, value FROM r WHERE n < 2) SELECT * FROM r"
        again(all.join(broadcast(spark.sql(recursion)), "value")).write.mode("append").parquet(path.toString)
      }
      causeOf[GateException](intercept[Exception](write(500)))
      assert(files(path) == Nil)
      write(0)
      assert(spark.read.parquet(path.toString).count() == 3000)
    }

  gated("a plan that executes a part of itself is read on each Spark") { (step, path) =>
    val all = spark.sql("SHOW DATABASES").union(rows(step, 0).select(col("value").cast("string")))
    all.write.parquet(path.toString)
    val names = spark.range(1001).select(col("id").cast("string").as("namespace"))
    again(names.join(broadcast(all), "namespace")).write.mode("append").parquet(path.toString)
    assert(spark.read.parquet(path.toString).count() == 1001 + 1000)
  }

  gated("what another query of the thread has dropped is not its own") { (step, path) =>
    val before = rows(step, 1000).repartition(2, col("value")).rdd
    assert(before.count() == 0)
    again(all.repartition(2, col("value")).join(all.where("value < 0"), Seq("value"), "left_outer")).write.parquet(path.toString)
    again(rows(step, 0).repartition(2, col("value"))).write.mode("append").parquet(path.toString)
    assert(spark.read.parquet(path.toString).count() == 2000)
  }

  gated("a save of such an RDD is told") { (step, path) =>
    val (lines, _) = Logged.during("andiron.Gate") {
      all.join(broadcast(rows(step, 500)), "value").rdd.saveAsTextFile(path.toString)
      Andiron.report(spark): Unit
    }
    val told = lines.filter(_.contains(s"gate of step '${step.name}' did not judge this"))
    assert(told.size == 1 && told.head.contains("500 of 1000 rows dropped"), lines)
  }

  gated("a save of one that adaptive execution has emptied is told") { (step, path) =>
    val (lines, _) = Logged.during("andiron.Gate") {
      again(rows(step, 1000).repartition(2, col("value")).union(all.repartition(2, col("value")))).rdd.saveAsTextFile(path.toString)
      Andiron.report(spark): Unit
    }
    val told = lines.filter(_.contains(s"gate of step '${step.name}' did not judge this"))
    assert(told.size == 1 && told.head.contains("1000 of 1000 rows dropped"), lines)
  }

  gated("a guard judges it") { (step, _) =>
    val gate = Gate(step, maxDropRatio = 0.01)
    val joined = all.join(broadcast(rows(step, 500)), "value").rdd
    val failure = intercept[GateException](Andiron.guard(gate)(joined.map(_.getLong(0)).reduce(_ + _)))
    assert(failure.code == 200, failure)
  }

  gated("a broadcast that two plans share") { (step, path) =>
    val side = rows(step, 500)
    val one = all.join(broadcast(side), "value")
    intercept[Exception](again(one.union(one)).write.parquet(path.toString)): Unit
    assert(files(path) == Nil)
  }

  test("plans without a step have no mark, and a mark does not stop generated code") {
    val step = Step(spark, "marks")
    under(Seq("spark.sql.adaptive.enabled" -> "false")) {
      assert(!all.join(broadcast(all), "value").queryExecution.executedPlan.toString.contains("AndironSides"))
      val plan = all.join(broadcast(rows(step, 0)), "value").queryExecution.executedPlan.toString
      assert("""\*\(\d+\) AndironSides\s+\+- \*\(\d+\) BroadcastHashJoin|\*\(\d+\) AndironSides""".r.findFirstIn(plan).nonEmpty, plan)
      val twice = all.join(broadcast(rows(step, 0)), "value").groupBy("value").count()
      val reused = twice.join(twice.withColumnRenamed("count", "again"), "value").queryExecution.executedPlan.toString
      assert(reused.contains("ReusedExchange"), reused)
    }
    step.close()
  }
}
