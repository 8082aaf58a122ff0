package andiron.internal.metrics

import java.nio.file.Path

import andiron._
import andiron.testing.MetricsSparks._
import andiron.testing.Sparks._
import andiron.testing.SuiteRunner

import org.apache.spark.sql.{DataFrame, Encoders, SparkSession}
import org.apache.spark.sql.functions.col
import org.junit.runner.RunWith
import org.scalatest.BeforeAndAfterAll
import org.scalatest.funsuite.AnyFunSuite

@RunWith(classOf[SuiteRunner])
class GateSuite extends AnyFunSuite with BeforeAndAfterAll {
  private var spark: SparkSession = _
  private val directory = java.nio.file.Files.createTempDirectory("gates")

  override def beforeAll(): Unit = spark = start("local[2]", settings(directory): _*)

  override def afterAll(): Unit = {
    stop(spark)
    delete(directory)
  }

  /** Ids with a column `p`, of which one in `every` is dropped. */
  private def features(step: Step, rows: Long, every: Long): DataFrame =
    step.map(spark.range(0, rows, 1, 4)) { n => if (n % every == 0) sys.error(s"no history of member $n") else n.longValue }(Encoders.scalaLong)
      .withColumn("p", col("value") % 3)

  private def old(name: String): (Path, Seq[String], Set[Long]) = {
    val path = directory.resolve(name)
    spark.range(1000, 1030).selectExpr("id as value", "id % 3 as p").write.partitionBy("p").parquet(path.toString)
    (path, files(path), read(path))
  }

  private def read(path: Path): Set[Long] = spark.read.parquet(path.toString).select("value").collect().map(_.getLong(0)).toSet

  private def gateOf(e: Throwable): GateException = causeOf[GateException](e)

  test("a new directory: a gate that passes commits, one that fails leaves no file and no _SUCCESS") {
    val good = Step(spark, "good")
    Gate(good, maxDropRatio = 0.01)
    features(good, 10000, 1000).write.parquet(directory.resolve("new-good").toString)
    assert(read(directory.resolve("new-good")).size == 9990 && files(directory.resolve("new-good")).contains("_SUCCESS"))

    val bad = Step(spark, "bad")
    Gate(bad, maxDropRatio = 0.01)
    val e = gateOf(intercept[Exception](features(bad, 1000, 5).write.parquet(directory.resolve("new-bad").toString)))
    assert(e.code == 200 && e.step == "bad")
    Seq("'bad'", "200 of 1000", "20", "no history of member").foreach(part => assert(e.getMessage.contains(part), e.getMessage))
    assert(files(directory.resolve("new-bad")) == Nil)
    Seq(good, bad).foreach(_.close())
  }

  for ((name, overwrite) <- Seq("append" -> None, "static overwrite" -> Some("static"), "dynamic overwrite" -> Some("dynamic")))
    test(s"$name: a gate that fails leaves what was there, one that passes writes") {
      val (path, before, values) = old(name.replace(' ', '-'))
      def write(frame: DataFrame): Unit = {
        val writer = frame.where("p < 2").write.partitionBy("p").mode(if (overwrite.isEmpty) "append" else "overwrite")
        overwrite.foreach(mode => writer.option("partitionOverwriteMode", mode))
        writer.parquet(path.toString)
      }
      val bad = Step(spark, s"bad $name")
      Gate(bad, maxDropRatio = 0.01)
      assert(gateOf(intercept[Exception](write(features(bad, 1000, 5)))).step == s"bad $name")
      assert(files(path) == before && read(path) == values)
      bad.close()

      val good = Step(spark, s"good $name")
      Gate(good, maxDropRatio = 0.5)
      write(features(good, 1000, 5))
      val fresh = (0L until 1000).filter(n => n % 5 != 0 && n % 3 < 2).toSet
      val left = overwrite match {
        case None            => values
        case Some("dynamic") => values.filter(_ % 3 == 2)
        case _               => Set.empty[Long]
      }
      assert(read(path) == fresh ++ left)
      good.close()
    }

  test("a write is judged by the steps that it is made of, and not by others") {
    val bad = Step(spark, "elsewhere")
    Gate(bad, maxDropRatio = 0.01)
    assert(features(bad, 1000, 5).count() == 800)
    spark.range(10).write.parquet(directory.resolve("other").toString)
    assert(files(directory.resolve("other")).contains("_SUCCESS"))
    val cached = features(bad, 1000, 5).cache()
    assert(cached.count() == 800)
    gateOf(intercept[Exception](cached.where("p = 1").write.parquet(directory.resolve("from-cache").toString)))
    val rdd = bad.map(spark.sparkContext.parallelize(0 until 100, 2))(n => 100 / (n % 5))
    gateOf(intercept[Exception](spark.createDataset(rdd)(Encoders.scalaInt).write.parquet(directory.resolve("from-rdd").toString)))
    assert(files(directory.resolve("from-cache")) == Nil && files(directory.resolve("from-rdd")) == Nil)
    bad.close()
    cached.write.parquet(directory.resolve("closed").toString)
    cached.unpersist()
  }

  test("a table: insert overwrite keeps its rows when the gate fails") {
    spark.range(5).selectExpr("id as value", "id % 3 as p").write.saveAsTable("gated")
    val bad = Step(spark, "table")
    Gate(bad, maxDropRatio = 0.01)
    gateOf(intercept[Exception](features(bad, 1000, 5).write.mode("overwrite").insertInto("gated")))
    assert(spark.table("gated").count() == 5)
    bad.close()
    spark.sql("DROP TABLE gated")
  }

  test("a committer that publishes at the commit of a task is refused") {
    val step = Step(spark, "direct")
    Gate(step)
    val conf = spark.sparkContext.hadoopConfiguration
    conf.set("mapreduce.fileoutputcommitter.algorithm.version", "2")
    try {
      val path = directory.resolve("direct")
      val e = gateOf(intercept[Exception](features(step, 1000, 100000).write.parquet(path.toString)))
      assert(e.code == 202 && e.getMessage.contains("algorithm.version=2"))
      assert(files(path) == Nil)
    } finally conf.set("mapreduce.fileoutputcommitter.algorithm.version", "1")
    step.close()
  }

  test("the commit protocol that the user has configured does the work") {
    spark.conf.set("spark.sql.sources.commitProtocolClass", classOf[CountingProtocol].getName)
    try {
      val step = Step(spark, "own protocol")
      Gate(step, maxDropRatio = 0.5)
      val before = CountingProtocol.commits.get
      features(step, 100, 10).write.parquet(directory.resolve("own").toString)
      assert(CountingProtocol.commits.get == before + 1)
      step.close()
    } finally spark.conf.unset("spark.sql.sources.commitProtocolClass")
  }

  test("guard throws after a body that has published, and for few or no rows") {
    val step = Step(spark, "guarded")
    val gate = Gate(step, maxDropRatio = 0.01, minRows = 100)
    val e = intercept[GateException](Andiron.guard(gate)(features(step, 1000, 5).collect()))
    assert(e.code == 200 && e.getMessage.contains("200 of 1000"), e.getMessage)
    val few = Step(spark, "few")
    val fewGate = Gate(few, minRows = 100)
    intercept[GateException](Andiron.guard(fewGate)(few.map(spark.range(50))(n => n)(Encoders.LONG).collect()))
    assert(Andiron.guard(fewGate)(few.map(spark.range(500))(n => n)(Encoders.LONG).collect()).length == 500)
    val none = Step(spark, "zero")
    val (pass, fail) = (Gate(none, onZeroRows = ZeroRows.Pass), Gate(none, onZeroRows = ZeroRows.Fail))
    def empty(): Unit = none.map(spark.range(0, 0, 1, 2))(n => n)(Encoders.LONG).collect(): Unit
    Andiron.guard(pass)(empty())
    assert(intercept[GateException](Andiron.guard(fail)(empty())).getMessage.contains("no row was read"))
    val own = new IllegalStateException("the body's own")
    assert(intercept[IllegalStateException](Andiron.guard(pass)(throw own)) eq own)
    Seq(step, few, none).foreach(_.close())
  }

  test("more dropped rows than the absolute limit cancel the stage while it runs") {
    val step = Step(spark, "early")
    val gate = Gate(step, maxDropRatio = 1, maxDropped = 10)
    val e = intercept[GateException](Andiron.guard(gate) {
      step.map(spark.sparkContext.parallelize(0 until 400, 400)) { n => Thread.sleep(50); if (n % 2 == 0) sys.error("even") else n }.count()
    })
    assert(e.getSuppressed.exists(_.getMessage.contains("Andiron's gate")) && step.figures.in < 400, e)
    step.close()
  }

  test("limits that make no sense are refused") {
    val step = Step(spark, "limits")
    Seq[() => Gate](() => Gate(step, maxDropRatio = -1), () => Gate(step, maxDropRatio = Double.NaN), () => Gate(step, maxDropped = -1), () => Gate(step, minRows = -1))
      .foreach(gate => intercept[SettingException](gate()))
    step.close()
  }
}

object CountingProtocol {
  val commits = new java.util.concurrent.atomic.AtomicInteger
}

class CountingProtocol(jobId: String, path: String, dynamic: Boolean)
    extends org.apache.spark.sql.execution.datasources.SQLHadoopMapReduceCommitProtocol(jobId, path, dynamic) {
  override def commitJob(job: org.apache.hadoop.mapreduce.JobContext, messages: Seq[org.apache.spark.internal.io.FileCommitProtocol.TaskCommitMessage]): Unit = {
    CountingProtocol.commits.incrementAndGet()
    super.commitJob(job, messages)
  }
}
