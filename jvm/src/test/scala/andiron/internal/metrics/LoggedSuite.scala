package andiron.internal.metrics

import java.nio.file.{Files, Path}

import andiron.testing.MetricsSparks._
import andiron.testing.Sparks._
import andiron.Step
import andiron.testing.{EventSchema, Logged, LoggedEvent, ShipLogs, SuiteRunner}

import org.apache.spark.HashPartitioner
import org.apache.spark.andironshim.Gathering
import org.apache.spark.rdd.RDD
import org.apache.spark.sql.SparkSession
import org.junit.runner.RunWith
import org.scalatest.funsuite.AnyFunSuite

/** The volume of the metrics: only changes are logged, and Spark's own event log grows little. */
@RunWith(classOf[SuiteRunner])
class LoggedSuite extends AnyFunSuite {
  private val Stages = 12

  /** A job whose stages 0, 3, 6, 9 add to an accumulator each, and stage 6 to a step too. */
  private def job(spark: SparkSession): Unit = {
    val accumulators = (0 until 4).map(i => spark.sparkContext.longAccumulator(s"acc $i"))
    val step = Step(spark, "logged")
    val rows: RDD[Long] = spark.sparkContext.range(0, 400, 1, 4)
    val last = (0 until Stages).foldLeft(rows) { (before, stage) =>
      val input = if (stage == 0) before else before.map(n => (n + stage, n)).partitionBy(new HashPartitioner(4)).values
      if (stage % 3 != 0) input
      else {
        val accumulator = accumulators(stage / 3)
        val counted = input.map { n =>
          // Long enough to ship changes while the job runs.
          if (n % 100 == 0) Thread.sleep(80)
          accumulator.add(1)
          n
        }
        if (stage == 6) step.map(counted)(n => if (n % 40 == 7) sys.error(s"row $n") else n) else counted
      }
    }
    assert(last.count() == 390)
    assert(MetricsApplication.of(spark.sparkContext).get.barrier(60000))
    step.close()
  }

  private def logged: Seq[LoggedEvent] = withDirectory { directory =>
    withSpark("local[2]", settings(directory): _*)(job)
    ShipLogs.events(directory)
  }

  test("every revision differs from the one before, and a stage that changed nothing ships no figure") {
    val events = logged
    assert(ShipLogs.unchanged(events).isEmpty)
    events.foreach(event => assert(EventSchema.problems(EventSchema.kinds(event.kind - 1), event.body) == Nil, event.id))
    events.groupBy(_.id).foreach { case (id, revisions) => assert(revisions.map(_.revision) == (1L to revisions.size.toLong), id) }
    val stages = events.filter(_.kind == ShipLogs.Stage).groupBy(_.body.path("stage").asInt()).map { case (_, revisions) => revisions.last }
    val changed = stages.filter(!_.body.path("changed").isEmpty).map(_.body.path("stage").asInt()).toSeq.sorted
    assert(stages.size == Stages && changed.size == 4)
    val figures = events.filter(_.kind == ShipLogs.Metric)
    val named = figures.groupBy(_.id).values.map(_.last.body)
    assert(named.count(_.path("source").asText() == "accumulator") == 4)
    val shippedBy = named.flatMap(figure => (0 until figure.path("stages").size).map(i => figure.path("stages").get(i).path("stage").asInt())).toSet
    assert(shippedBy == changed.toSet)
    assert(named.forall(_.path("exact").asBoolean()), named)
  }

  test("the reader of revisions finds one that changed nothing") {
    def revision(number: Long) = LoggedEvent(ShipLogs.Metric, "same", number, andiron.internal.util.Json.node().put("committed", 7))
    assert(ShipLogs.unchanged(Seq(revision(1), revision(2))) == Seq(revision(2)))
  }

  private val (tasks, each, failing) = (20, 100, 50)

  private def failRows(spark: SparkSession, withStep: Boolean): Unit = {
    val (size, bad) = (each, failing)
    val rows = spark.sparkContext.range(0, (tasks * each).toLong, 1, tasks)
    val f = (n: Long) => if (n % size < bad) throw new IllegalStateException(s"no history of member $n") else n
    if (!withStep) assert(rows.flatMap(n => scala.util.Try(f(n)).toOption).count() == tasks * (each - failing))
    else {
      val step = Step(spark, "failing rows")
      assert(step.keyed[Long](n => s"member $n").map(rows)(f).count() == tasks * (each - failing))
      assert(step.figures.dropped == tasks * failing)
      step.close()
    }
  }

  private def eventLogBytes(directory: Path, conf: Seq[(String, String)])(job: SparkSession => Unit): Long = {
    val events = Files.createDirectory(directory.resolve("events"))
    withSpark("local[2]", conf ++ Seq("spark.eventLog.enabled" -> "true", "spark.eventLog.dir" -> events.toUri.toString, "spark.eventLog.compress" -> "false"): _*)(job)
    files(events).map(file => Files.size(events.resolve(file))).sum
  }

  test("events gather in a queue that has room for them, and none wait when the barrier has passed") {
    assert(Seq(10, 1999, 2000, 10000, 100000).map(Gathering.nanos) == Seq(0, 0, 1000000, 5000000, 10000000))
    withMetrics("local[2]") { spark =>
      assert(spark.sparkContext.range(0, 100, 1, 100).count() == 100)
      val waiting = Gathering.waiting(spark.sparkContext)
      assert(waiting.isDefined, "this Spark does not tell how many events wait")
      assert(MetricsApplication.of(spark.sparkContext).get.barrier(20000) && waiting.get.getValue == 0)
    }
  }

  test("a log directory that is removed while the application runs is made anew, and a WARN says what is lost") {
    withDirectory { directory =>
      withSpark("local[2]", settings(directory): _*) { spark =>
        def counted(name: String): Unit = {
          assert(Step(spark, name).count(spark.sparkContext.range(0, 10, 1, 2)).count() == 10)
          assert(MetricsApplication.of(spark.sparkContext).get.flush(20000))
        }
        counted("first part")
        delete(directory.resolve("log"))
        val warnings = Logged.written(counted("second part")).filter(_.contains("was removed while the application runs"))
        assert(warnings.size == 1 && warnings.head.contains("WARN") && warnings.head.contains("are lost to reports"), warnings)
        val log = andiron.testing.MetricsSparks.logged(directory)
        assert(log.contains(spark.sparkContext.applicationId) && log.contains("second part"), log)
      }
    }
  }

  test("samples do not go through Spark's event log") {
    val without = withDirectory(directory => eventLogBytes(directory, Nil)(failRows(_, withStep = false)))
    val with_ = withDirectory(directory => eventLogBytes(directory, settings(directory))(failRows(_, withStep = true)))
    // 1 MB for 500 tasks; a sample alone has some 500 bytes.
    assert(without > 20000 && with_ - without < tasks * 2000, s"$with_ bytes, $without without Andiron")
  }
}
