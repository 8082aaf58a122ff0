package andiron.internal.metrics

import java.nio.file.Path

import andiron._
import andiron.testing.MetricsSparks._
import andiron.testing.Sparks._
import andiron.testing.SuiteRunner

import org.apache.spark.sql.{DataFrame, Dataset, Encoders, SparkSession}
import org.apache.spark.sql.functions.col
import org.junit.runner.RunWith
import org.scalatest.BeforeAndAfterAll
import org.scalatest.funsuite.AnyFunSuite

/** The writes that a gate judges, and the figures that it judges by. */
@RunWith(classOf[SuiteRunner])
class GateCornersSuite extends AnyFunSuite with BeforeAndAfterAll {
  private var spark: SparkSession = _
  private val directory = java.nio.file.Files.createTempDirectory("gate-corners")

  override def beforeAll(): Unit = spark = start("local[4]", settings(directory): _*)

  override def afterAll(): Unit = {
    stop(spark)
    delete(directory)
  }

  /** A thousand rows, of which one in `every` is dropped. */
  private def features(step: Step, every: Long): Dataset[Long] =
    step.map(spark.range(0, 1000, 1, 4))(n => if (n % every == 0) sys.error(s"no history of $n") else n.longValue)(Encoders.scalaLong)

  private def to(name: String): Path = directory.resolve(name)

  private def refused(name: String)(write: => Unit): Unit = {
    val failure = causeOf[GateException](intercept[Exception](write))
    assert(failure.code == 200, failure)
    assert(files(to(name)) == Nil)
  }

  private def gated(name: String, maxDropRatio: Double = 0.01)(body: Step => Unit): Unit = test(name) {
    val step = Step(spark, name)
    Gate(step, maxDropRatio)
    body(step)
    step.close()
  }

  gated("a second try with the same step is judged by itself") { step =>
    refused("tried")(features(step, 5).write.parquet(to("tried").toString))
    features(step, 2000).write.mode("append").parquet(to("tried").toString)
    assert(files(to("tried")).contains("_SUCCESS"))
  }

  test("a second step of the same name is judged by itself, and so is a closed one's") {
    val first = Step(spark, "daily")
    Gate(first, 0.01)
    refused("monday")(features(first, 5).write.parquet(to("monday").toString))
    val second = Step(spark, "daily")
    Gate(second, 0.01)
    features(second, 2000).write.parquet(to("tuesday").toString)
    first.close()
    refused("wednesday")(features(second, 5).write.parquet(to("wednesday").toString))
    features(second, 2000).write.parquet(to("thursday").toString)
    second.close()
    Seq("tuesday", "thursday").foreach(day => assert(files(to(day)).contains("_SUCCESS")))
  }

  gated("several writes at once are judged each by its own rows") { step =>
    val failures = new java.util.concurrent.ConcurrentHashMap[String, Throwable]
    val threads = for (n <- 0 until 6) yield new Thread(() =>
      try features(step, if (n % 2 == 0) 5 else 2000).write.parquet(to(s"at-once-$n").toString)
      catch { case t: Throwable => failures.put(s"at-once-$n", t): Unit })
    threads.foreach(_.start())
    threads.foreach(_.join())
    for (n <- 0 until 6) {
      val failure = Option(failures.get(s"at-once-$n"))
      if (n % 2 == 0) assert(causeOf[GateException](failure.get).code == 200 && files(to(s"at-once-$n")) == Nil)
      else assert(failure.isEmpty && files(to(s"at-once-$n")).contains("_SUCCESS"), failure)
    }
  }

  gated("another session writes what this one has made") { step =>
    val other = spark.newSession()
    features(step, 5).createOrReplaceGlobalTempView("half")
    val rdd = step.map(spark.sparkContext.parallelize(0 until 100, 2))(n => 100 / (n % 5))
    refused("other-view")(other.table("global_temp.half").write.parquet(to("other-view").toString))
    refused("other-rdd")(other.createDataset(rdd)(Encoders.scalaInt).write.parquet(to("other-rdd").toString))
  }

  for ((name, use) <- Seq[(String, DataFrame => DataFrame)](
      "a view" -> { rows => rows.createOrReplaceTempView("v1"); rows.sparkSession.table("v1") },
      "a common table expression" -> { rows => rows.createOrReplaceTempView("v2"); rows.sparkSession.sql("WITH w AS (SELECT * FROM v2) SELECT * FROM w") },
      "a sub-query" -> { rows =>
        rows.createOrReplaceTempView("v3")
        rows.sparkSession.sql("SELECT id FROM range(10) WHERE id < (SELECT max(value) FROM v3)")
      },
      "one that must exist" -> { rows =>
        rows.createOrReplaceTempView("v4")
        rows.sparkSession.sql("SELECT id FROM range(10) a WHERE EXISTS (SELECT 1 FROM v4 WHERE v4.value = a.id)")
      },
      "a union" -> (rows => rows.union(rows.sparkSession.range(10).toDF("value"))),
      "a join and an aggregate" -> (rows => rows.join(rows.sparkSession.range(10).toDF("value"), "value").groupBy("value").count()),
      "a cached plan" -> { rows => rows.cache().count(); rows.where("value > 2") },
      "Dataset.rdd" -> (rows => rows.sparkSession.createDataFrame(rows.rdd, rows.schema))))
    gated(s"through $name") { step =>
      val out = s"through-${name.replace(' ', '-')}"
      refused(out)(use(features(step, 5).toDF("value")).write.parquet(to(out).toString))
    }

  gated("a table made from a query") { step =>
    features(step, 5).createOrReplaceTempView("source")
    causeOf[GateException](intercept[Exception](spark.sql("CREATE TABLE made USING parquet AS SELECT * FROM source")))
    assert(!spark.catalog.tableExists("made"))
  }

  gated("an append to a table, and one partition of it overwritten") { step =>
    spark.range(9).select(col("id").as("value"), (col("id") % 3).as("p")).write.partitionBy("p").saveAsTable("parts")
    features(step, 5).createOrReplaceTempView("fresh")
    Seq("INSERT INTO parts PARTITION (p = 1) SELECT value FROM fresh", "INSERT OVERWRITE parts PARTITION (p = 1) SELECT value FROM fresh",
      "INSERT OVERWRITE parts SELECT value, value % 2 FROM fresh").foreach { write =>
      causeOf[GateException](intercept[Exception](spark.sql(write)))
      assert(spark.table("parts").count() == 9 && spark.table("parts").where("p = 1").count() == 3)
    }
    val good = Step(spark, "good parts")
    Gate(good, 0.01)
    features(good, 2000).createOrReplaceTempView("fresh")
    spark.sql("INSERT OVERWRITE parts PARTITION (p = 1) SELECT value FROM fresh")
    assert(spark.table("parts").where("p = 1").count() == 999 && spark.table("parts").count() == 6 + 999)
    good.close()
    spark.sql("DROP TABLE parts")
  }

  gated("a commit protocol without dynamic overwrites") { step =>
    spark.conf.set("spark.sql.sources.commitProtocolClass", classOf[OldProtocol].getName)
    try {
      refused("old-protocol")(features(step, 5).write.parquet(to("old-protocol").toString))
      features(step, 2000).write.mode("append").parquet(to("old-protocol").toString)
      assert(files(to("old-protocol")).contains("_SUCCESS"))
    } finally spark.conf.unset("spark.sql.sources.commitProtocolClass")
  }
}

class OldProtocol(jobId: String, path: String) extends org.apache.spark.internal.io.HadoopMapReduceCommitProtocol(jobId, path)
