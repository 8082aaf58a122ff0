package andiron.internal.metrics

import java.nio.file.Path
import java.util.concurrent.atomic.AtomicInteger

import andiron.testing.MetricsSparks._
import andiron.testing.Sparks._
import andiron.Andiron
import andiron.internal.util.Json
import andiron.testing.{ShipLogs, SuiteRunner}

import org.apache.spark.sql.SparkSession
import org.junit.runner.RunWith
import org.scalatest.funsuite.AnyFunSuite

/** WARN and ERROR lines of driver and executors are in the report. */
@RunWith(classOf[SuiteRunner])
class LogLinesSuite extends AnyFunSuite {
  test("those of the driver, bounded in number and length") {
    withDirectory { directory =>
      withSpark("local[2]", settings(directory): _*) { spark =>
        LogLinesSuite.warn("a line of the driver " + "x" * 5000)
        spark.sparkContext.parallelize(0 until 1, 1).foreach(_ => LogLinesSuite.warn("a line of a task"))
        for (n <- 0 until 5000) LogLinesSuite.warn(s"line $n of very many")
        eventually("the lines are logged") {
          // The page has the newest.
          val (report, all) = (Andiron.reportHtml(spark), logged(directory))
          report.contains("of very many") && all.contains("a line of the driver") && all.contains("a line of a task")
        }
        assert(logged(directory).split("of very many", -1).length <= 1001)
      }
    }
  }

  test("those of executors") {
    withMetrics("local-cluster[1,1,1024]", "spark.executor.memory" -> "512m") { spark =>
      spark.sparkContext.parallelize(0 until 1, 1).foreach(_ => LogLinesSuite.warn("a line of an executor"))
      eventually("the line is logged")(Andiron.reportHtml(spark).contains("a line of an executor"))
    }
  }

  /** How many errors of a stage the log has, and how many it says it has not. */
  private def errors(directory: Path): Map[Int, (Long, Long)] = {
    val last = ShipLogs.events(directory).filter(_.kind == ShipLogs.LogLine).groupBy(_.id).values.map(_.maxBy(_.revision).body)
    val ofStages = last.filter(body => body.has("stage") && body.path("level").asText() == "ERROR").groupBy(_.path("stage").asInt())
    ofStages.map { case (stage, bodies) =>
      val (counts, lines) = bodies.partition(_.has("left_out"))
      stage -> (lines.size.toLong -> counts.map(_.path("left_out").asLong()).sum)
    }
  }

  private def logErrors(spark: SparkSession): Unit = {
    spark.sparkContext.parallelize(0 until 4, 4).foreach(_ => LogLinesSuite.errors(5000))
    for (_ <- 0 until 5) spark.sparkContext.parallelize(0 until 2, 2).foreach(_ => LogLinesSuite.errors(250))
  }

  private val expected = (0 to 5).map(stage => stage -> (if (stage == 0) (50L, 19950L) else (50L, 450L))).toMap

  test("a noisy stage takes no room from those after it, and what is left out is counted") {
    withDirectory { directory =>
      withSpark("local[2]", settings(directory): _*) { spark =>
        logErrors(spark)
        eventually("the report counts all") {
          val report = Andiron.report(spark)
          val left = report.linesIterator.find(_.contains("log_lines_left_out")).getOrElse("")
          report.contains("stage 0: 20,000 errors (50 kept)") && report.contains("not in the log: 19,950 lines (driver 19,950)") &&
          (1 to 5).forall(stage => report.contains(s"stage $stage: 500 errors (50 kept)")) && left.contains("22,200 log_lines_left_out")
        }
      }
      assert(errors(directory) == expected)
    }
  }

  test("the same of executors") {
    withDirectory { directory =>
      withSpark("local-cluster[2,1,1024]", settings(directory) :+ ("spark.executor.memory" -> "512m"): _*) { spark =>
        logErrors(spark)
        eventually("the report counts all") {
          val report = Andiron.report(spark)
          report.contains("stage 0: 20,000 errors (50 kept)") && (1 to 5).forall(stage => report.contains(s"stage $stage: 500 errors (50 kept)"))
        }
      }
      assert(errors(directory) == expected)
    }
  }

  test("what could not be sent is counted, and the count is sent") {
    val sent = new java.util.concurrent.ConcurrentLinkedQueue[String]
    val calls = new AtomicInteger
    val watch = LogWatch.open("7", texts => if (calls.incrementAndGet() == 1) sys.error("the driver is away") else texts.foreach(sent.add)).get
    try {
      LogLinesSuite.warn("sent in vain")
      LogLinesSuite.errors(2)
      eventually("a send has failed")(calls.get == 1)
      LogLinesSuite.warn("sent")
      eventually("the count is sent")(sent.toString.contains("left_out"))
    } finally watch.close()
    val all = sent.toArray(new Array[String](0)).toSeq
    assert(!all.exists(_.contains("sent in vain")) && all.exists(_.contains("\"sent\"")), all)
    def left(level: String) = all.map(Json.parse).filter(_.path("level").asText() == level).map(_.path("left_out").asLong(0)).sum
    assert(left("WARN") >= 1 && left("ERROR") + all.count(_.contains(" of many")) == 2, all)
  }

  test("counts of very many stages make room, and lose nothing") {
    val counts = new LogCounts("ERROR")
    def taken(): Long = counts.all().map(_.takeLeftOut()).sum
    for (stage <- 0 until 10000; _ <- 0 until 52) counts.of(stage).place()
    val late = counts.of(3)
    val first = taken()
    late.place() // Counted by one that has made room since.
    assert(first == 20000 && taken() == 1)
    assert((counts.of(3) ne late) && (counts.of(9999) eq counts.of(9999)))
    counts.putBack(late, 5)
    assert(taken() == 5 && taken() == 0)
  }
}

object LogLinesSuite {
  def warn(message: String): Unit = org.slf4j.LoggerFactory.getLogger("andiron.user").warn(message)

  def errors(n: Int): Unit = {
    val log = org.slf4j.LoggerFactory.getLogger("andiron.user")
    (0 until n).foreach(i => log.error(s"error $i of many"))
  }
}
