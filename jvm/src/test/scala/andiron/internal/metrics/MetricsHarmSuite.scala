package andiron.internal.metrics

import java.nio.ByteBuffer
import java.nio.file.Files
import java.util.concurrent.atomic.AtomicInteger

import andiron.testing.MetricsSparks._
import andiron.testing.Sparks._
import andiron.{Andiron, AndironConf, Step}
import andiron.testing.SuiteRunner

import org.apache.spark.andironshim.{Faults, MetricsEvents, MetricsInternals, MetricsListener}
import org.apache.spark.scheduler._
import org.apache.spark.sql.SparkSession
import org.apache.spark.sql.execution.ui.{SparkListenerSQLAdaptiveExecutionUpdate, SparkListenerSQLExecutionEnd, SparkListenerSQLExecutionStart}
import org.junit.runner.RunWith
import org.scalatest.funsuite.AnyFunSuite

/** Nothing of the metrics stops or slows an application. */
@RunWith(classOf[SuiteRunner])
class MetricsHarmSuite extends AnyFunSuite {

  /** Events whose every callback does `action`. */
  private final class Acting(action: () => Unit) extends MetricsEvents {
    val called = new AtomicInteger
    val failures = new AtomicInteger
    private def act(): Unit = {
      called.incrementAndGet()
      action()
    }
    override def accumulator(id: Long, name: String, kind: Int): Unit = act()
    override def accumulatorValues(values: Seq[(Long, Any)]): Unit = act()
    override def speculation(stage: Int, attempt: Int): Unit = act()
    override def taskEnds(buffer: ByteBuffer, length: Int): Unit = act()
    override def stageSubmitted(stage: StageInfo, executionId: Option[Long]): Unit = act()
    override def stageCompleted(stage: StageInfo): Unit = act()
    override def jobStart(event: SparkListenerJobStart, executionId: Option[Long]): Unit = act()
    override def jobEnd(event: SparkListenerJobEnd): Unit = act()
    override def executionStart(event: SparkListenerSQLExecutionStart): Unit = act()
    override def executionUpdate(event: SparkListenerSQLAdaptiveExecutionUpdate): Unit = act()
    override def executionEnd(event: SparkListenerSQLExecutionEnd): Unit = act()
    override def sentinel(number: Long): Unit = act()
    override def applicationEnd(event: SparkListenerApplicationEnd): Unit = act()
    override def failed(what: String, error: Throwable): Unit = {
      failures.incrementAndGet()
      throw error
    }
  }

  private def jobs(spark: SparkSession): Unit =
    for (_ <- 0 until 3) assert(spark.range(0, 1000, 1, 8).selectExpr("sum(id)").collect().head.getLong(0) == 499500)

  for ((name, action) <- Seq[(String, () => Unit)](
      "a LinkageError" -> (() => throw new UnsatisfiedLinkError("injected")),
      "a StackOverflowError" -> (() => throw new StackOverflowError("injected")),
      "an OutOfMemoryError" -> (() => throw new OutOfMemoryError("injected")),
      "an exception" -> (() => throw new IllegalStateException("injected")),
      "an interrupt" -> (() => Thread.currentThread().interrupt()),
      "an InterruptedException" -> (() => throw new InterruptedException("injected"))))
    test(s"$name in every callback: the application goes on, and so do the callbacks") {
      withSpark("local[2]") { spark =>
        val events = new Acting(action)
        MetricsInternals.addListener(spark.sparkContext, new MetricsListener(events))
        jobs(spark)
        Faults.drain(spark.sparkContext)
        val before = events.called.get
        assert(before > 30, "tasks, stages, jobs and executions")
        jobs(spark)
        Faults.drain(spark.sparkContext)
        assert(events.called.get > before && !spark.sparkContext.isStopped)
      }
    }

  test("a log directory that cannot be made: the figures are kept in memory, and the job ends as it would") {
    withDirectory { directory =>
      val file = Files.write(directory.resolve("file"), Array[Byte](1))
      withSpark("local[2]", "spark.plugins" -> "andiron.AndironPlugin", AndironConf.LogDirectory.key -> file.resolve("log").toString) { spark =>
        jobs(spark)
        val step = Step(spark, "in-memory")
        assert(step.map(spark.sparkContext.parallelize(0 until 10))(_ + 1).count() == 10)
        assert(step.figures.in == 10 && step.figures.exact)
      }
    }
  }

  test("stop from a thread that a callback has started fails as it does without us, and the application goes on") {
    withMetrics("local[2]") { spark =>
      val outcome = new java.util.concurrent.CompletableFuture[Throwable]
      spark.sparkContext.addSparkListener(new SparkListener {
        override def onJobEnd(event: SparkListenerJobEnd): Unit = if (!outcome.isDone) {
          val thread = new Thread(() =>
            try {
              spark.sparkContext.stop()
              outcome.complete(null): Unit
            } catch { case t: Throwable => outcome.complete(t): Unit })
          thread.start()
          thread.join()
        }
      })
      jobs(spark)
      assert(outcome.get(20, java.util.concurrent.TimeUnit.SECONDS).getMessage.contains("listener bus thread"))
      jobs(spark)
      assert(!spark.sparkContext.isStopped && Andiron.report(spark).contains("collect at MetricsHarmSuite.scala"))
    }
  }

  test("stop in the middle of a job, and twice") {
    withDirectory { directory =>
      val spark = start("local[2]", settings(directory): _*)
      val step = Step(spark, "stopped")
      val job = new Thread(() =>
        try step.map(spark.sparkContext.parallelize(0 until 1000, 100)) { n => Thread.sleep(5); n }.count(): Unit
        catch { case _: Exception => () })
      job.start()
      eventually("it runs")(step.figures.in > 0)
      val stopped = System.nanoTime()
      stop(spark)
      stop(spark)
      assert((System.nanoTime() - stopped) / 1000000000L < 20)
      job.join(20000)
      assert(!job.isAlive)
      step.close()
    }
  }

  test("the log of an application that has ended names its end") {
    withDirectory { directory =>
      withSpark("local[2]", settings(directory): _*) { spark =>
        Step(spark, "ended").map(spark.sparkContext.parallelize(0 until 10))(_ + 1).count()
      }
      eventually("the end is logged")(logged(directory).contains("\"ended_ms\""))
    }
  }
}

/** The log beside the driver. */
@RunWith(classOf[SuiteRunner])
class LogArchiveSuite extends AnyFunSuite {
  test("the archive has the whole log when the application has ended, and the report reads it") {
    withDirectory { directory =>
      var application = ""
      withSpark("local[2]", settings(directory) :+ (AndironConf.LogArchive.key -> directory.resolve("archive").toUri.toString): _*) { spark =>
        application = spark.sparkContext.applicationId
        assert(Step(spark, "archived").map(spark.sparkContext.parallelize(0 until 10))(n => 10 / n).count() == 9)
      }
      val kept = files(directory.resolve("archive"))
      assert(kept.exists(_.endsWith("segment-0000000001.log")), kept)
      val page = directory.resolve("page.html")
      def report(arguments: String*) = andiron.internal.metrics.ReportCommand.run(arguments ++ Seq("--log-dir", directory.resolve("archive").toUri.toString))
      val text = report("report", application, "--html", page.toString)
      assert(text.status == 0 && text.out.contains("1 of 1 failed row sampled"), text)
      assert(report("apps").out.contains(application))
      assert(report("report", "another") match { case andiron.internal.metrics.ReportCommand.Done(status, out, err) => status == 1 && out.isEmpty && err.contains("no log of another") })
      assert(report("diff", application).status == 2)
      val ship = report("ship")
      assert(ship.status == 2 && ship.err.contains("andiron.hive.Ingest --from log"), ship)
      val html = new String(Files.readAllBytes(page), "UTF-8")
      assert(html.contains("archived") && html.contains("ArithmeticException"))
    }
  }

  test("an archive that cannot be written holds up nothing") {
    withDirectory { directory =>
      val file = Files.write(directory.resolve("file"), Array[Byte](1))
      val started = System.nanoTime()
      withSpark("local[2]", settings(directory) :+ (AndironConf.LogArchive.key -> s"${file.toUri}/sub"): _*) { spark =>
        assert(Step(spark, "local").map(spark.sparkContext.parallelize(0 until 10))(_ + 1).count() == 10)
      }
      assert((System.nanoTime() - started) / 1000000000L < 60)
    }
  }
}
