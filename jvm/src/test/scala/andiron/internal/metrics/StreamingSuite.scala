package andiron.internal.metrics

import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.Files

import andiron._
import andiron.testing.MetricsSparks._
import andiron.testing.Sparks._
import andiron.testing.SuiteRunner

import org.apache.spark.sql.{DataFrame, Encoders, Row, SparkSession}
import org.apache.spark.sql.streaming.StreamingQueryException
import org.junit.runner.RunWith
import org.scalatest.BeforeAndAfterAll
import org.scalatest.funsuite.AnyFunSuite

/** Steps in the micro-batches of streaming queries that are restarted. */
@RunWith(classOf[SuiteRunner])
class StreamingSuite extends AnyFunSuite with BeforeAndAfterAll {
  private var spark: SparkSession = _
  private val directory = Files.createTempDirectory("streaming")

  // The checkpoint of a query is here under its name. DataStreamWriter.option has another signature in Spark 4.
  override def beforeAll(): Unit =
    spark = start("local[2]", settings(directory) :+ ("spark.sql.streaming.checkpointLocation" -> directory.resolve("checkpoints").toString): _*)

  override def afterAll(): Unit = {
    stop(spark)
    delete(directory)
  }

  /** Runs a query over three files of 500, 50 and 450 rows, one a batch, and once more if it fails; how often it did. */
  private def restarted(name: String)(body: (DataFrame, Long) => Unit): Int = {
    val source = Files.createDirectory(directory.resolve(name))
    Seq(0 until 500, 500 until 550, 550 until 1000).zipWithIndex.foreach { case (rows, n) =>
      val file = Files.write(source.resolve(s"$n.txt"), rows.mkString("\n").getBytes(UTF_8))
      file.toFile.setLastModified(1600000000000L + n * 60000L)
    }
    var failures = 0
    var isDone = false
    while (!isDone) {
      val rows = spark.readStream.option("maxFilesPerTrigger", 1L).text(source.toString)
      val query = rows.writeStream.foreachBatch(body).queryName(name).start()
      try {
        query.processAllAvailable()
        isDone = true
      } catch { case _: StreamingQueryException if failures < 3 => failures += 1 }
      finally query.stop()
    }
    failures
  }

  private def figures(step: Step, in: Long, dropped: Long): Unit = {
    val found = step.figures
    assert((found.in, found.dropped, found.exact) == ((in, dropped, true)), found)
  }

  test("a batch that is executed again counts once") {
    val step = Step(spark, "batches")
    var executed = Vector.empty[Long]
    val failures = restarted("batches") { (rows, id) =>
      val good = step.filter(rows)((row: Row) => if (row.getString(0).toInt % 100 == 7) sys.error("bad") else true)
      good.write.mode("append").parquet(directory.resolve("batches-out").toString)
      executed :+= id
      // The rows are published, and the batch is not committed yet.
      if (executed == Vector(0L, 1L)) sys.error("the driver goes down")
    }
    assert((failures, executed) == ((1, Vector(0L, 1L, 1L, 2L))))
    figures(step, 1000, 10)
    assert(spark.read.parquet(directory.resolve("batches-out").toString).count() == 990 + 49, "the batch was written twice: that is the sink's")
    val report = Andiron.report(spark)
    assert(report.contains("batches"), report)
    assert(totals("batches") == 1000, report)
  }

  test("several operators of a batch, RDDs and threads among them, are each replaced by their own") {
    val step = Step(spark, "several")
    var executed = Vector.empty[Long]
    val failures = restarted("several") { (rows, id) =>
      Seq(0, 1).foreach(half => assert(step.filter(rows.where(s"value % 2 = $half"))((_: Row) => true).count() > 0))
      val inThread = new Thread(() => assert(step.map(rows)((row: Row) => row.getString(0).toLong)(Encoders.scalaLong).rdd.count() > 0))
      inThread.start()
      inThread.join()
      executed :+= id
      if (executed.size < 3) sys.error("the driver goes down")
    }
    assert((failures, executed) == ((2, Vector(0L, 0L, 0L, 1L, 2L))))
    figures(step, 2000, 0)
    assert(totals("several") == 2000)
  }

  /** The sum over the operators of a step that a reader of the log comes to. */
  private def totals(step: String): Long = {
    val application = andiron.internal.metrics.MetricsApplication.of(spark.sparkContext).get
    assert(application.flush(20000))
    val printed = andiron.internal.util.Json.parse(andiron.internal.boundary.NativeMetrics.command(
      s"""["events", "${spark.sparkContext.applicationId}", "--log-dir", "${andiron.AndironConf.LogDirectory.in(spark.sparkContext.getConf)}"]"""))
    assert(printed.path("status").asInt(-1) == 0, printed.toString)
    val events = printed.path("out").asText().split('\n').toSeq.map(andiron.internal.util.Json.parse(_))
    val ofStep = events.filter(event => event.path("kind").asText() == "Metric" && event.path("step").asText() == step && event.path("acc").asText() == "in")
    ofStep.groupBy(_.path("event_id").asText()).values.map(_.maxBy(_.path("revision").asLong()).path("committed").asLong()).sum
  }
}
