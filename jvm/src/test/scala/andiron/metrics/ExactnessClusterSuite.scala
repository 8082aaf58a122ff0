package andiron.metrics

import andiron.testing.MetricsSparks._
import andiron.testing.Sparks._
import andiron.testing.SuiteRunner

import org.apache.spark.TaskContext
import org.apache.spark.andiron.Faults
import org.apache.spark.deploy.TwoHosts
import org.apache.spark.sql.SparkSession
import org.junit.runner.RunWith
import org.scalatest.BeforeAndAfterAll
import org.scalatest.funsuite.AnyFunSuite

/** Scenarios that need executors of their own. */
@RunWith(classOf[SuiteRunner])
class ExactnessClusterSuite extends AnyFunSuite with BeforeAndAfterAll {
  private val Rows = 80

  override def afterAll(): Unit = Outcomes.write()

  private def scenario(name: String, conf: (String, String)*)(body: (SparkSession, Counted) => String): Unit = test(name) {
    withMetrics("local-cluster[2,2,1024]", Seq("spark.executor.memory" -> "512m") ++ conf: _*) { spark =>
      val counted = new Counted(spark, name)
      val outcome = Outcomes.note(spark, counted.outcome(Rows, body(spark, counted)))
      assert(outcome.provoked.nonEmpty, outcome)
      assert(outcome.step == Rows && outcome.stepExact, outcome)
      assert(outcome.foreign == Rows || !outcome.foreignExact, outcome)
    }
  }

  scenario("task retry") { (spark, c) =>
    val (own, accumulator) = (c.own, c.accumulator)
    val rows = c.step.map(spark.sparkContext.parallelize(0 until Rows, 8)) { n =>
      own.increment()
      accumulator.add(1)
      n
    }.mapPartitionsWithIndex { (index, all) =>
      val read = all.toVector
      if (index == 3 && TaskContext.get().attemptNumber() < 2) sys.error("injected")
      read.iterator
    }
    assert(rows.count() == Rows)
    assert(c.witness.of("ExceptionFailure") == 2)
    s"${c.witness.of("ExceptionFailure")} failed tasks"
  }

  scenario("executor killed in a map stage") { (spark, c) =>
    val (own, accumulator) = (c.own, c.accumulator)
    val rows = c.step.map(spark.sparkContext.parallelize(0 until Rows, 8)) { n =>
      own.increment()
      accumulator.add(1)
      n
    }.mapPartitionsWithIndex { (index, all) =>
      val read = all.toVector
      if (index >= 4) Thread.sleep(4000)
      read.iterator
    }
    val grouped = rows.map(n => (n % 7, n)).groupByKey(4)
    val pids = spark.sparkContext.parallelize(0 until 16, 16).map { _ => Thread.sleep(50); ProcessHandle.current().pid() }.distinct().collect()
    val killer = new Thread(() => {
      eventually("tasks have succeeded", seconds = 60)(c.accumulator.value >= 40)
      ProcessHandle.of(pids.head).get.destroyForcibly(): Unit
    })
    killer.start()
    assert(grouped.map(_._2.size).sum() == Rows)
    killer.join()
    val resubmitted = c.witness.of("Resubmitted")
    assert(resubmitted > 0)
    s"$resubmitted tasks resubmitted, ${c.witness.of("ExecutorLostFailure")} lost with their executor"
  }

  scenario("executor lost between two actions") { (spark, c) =>
    val (own, accumulator) = (c.own, c.accumulator)
    val rows = c.step.map(spark.sparkContext.parallelize(0 until Rows, 8)) { n =>
      own.increment()
      accumulator.add(1)
      n
    }
    val grouped = rows.map(n => (n % 7, n)).groupByKey(4)
    assert(grouped.count() == 7)
    val pids = spark.sparkContext.parallelize(0 until 16, 16).map { _ => Thread.sleep(50); ProcessHandle.current().pid() }.distinct().collect()
    ProcessHandle.of(pids.head).get.destroyForcibly()
    eventually("the executor is gone", seconds = 60)(spark.sparkContext.statusTracker.getExecutorInfos.length <= 2)
    assert(grouped.map(_._2.size).sum() == Rows)
    assert(c.accumulator.value > Rows)
    s"${c.accumulator.value - Rows} rows were computed again"
  }

  // Spark starts no copy on the host that runs the task already, and the executors of local-cluster share one host name.
  test("speculation") {
    val hosts = new TwoHosts
    val settings = Seq(
      "spark.executor.extraClassPath" -> sys.props("andiron.test.executorClassPath"), "spark.executor.memory" -> "512m", "spark.executor.cores" -> "2",
      "spark.executor.extraJavaOptions" -> "-XX:+UseSerialGC", "spark.locality.wait" -> "0", "spark.speculation" -> "true", "spark.speculation.interval" -> "100ms",
      "spark.speculation.multiplier" -> "1.1", "spark.speculation.quantile" -> "0.5", "spark.speculation.minTaskRuntime" -> "200ms")
    try withMetrics(hosts.url, settings: _*) { spark =>
      val c = new Counted(spark, "speculation")
      val (own, accumulator) = (c.own, c.accumulator)
      eventually("two executors", seconds = 60)(spark.sparkContext.statusTracker.getExecutorInfos.length == 3)
      val rows = c.step.map(spark.sparkContext.parallelize(0 until Rows, 8)) { n =>
        own.increment()
        accumulator.add(1)
        n
      }.mapPartitionsWithIndex { (index, all) =>
        val read = all.toVector
        if (index == 3 && TaskContext.get().attemptNumber() == 0) Thread.sleep(60000)
        read.iterator
      }
      assert(rows.count() == Rows)
      eventually("the slower copy is killed", seconds = 60)(c.witness.of("TaskKilled") > 0)
      assert(c.witness.of("speculative copy") > 0)
      val outcome = Outcomes.note(spark, c.outcome(Rows, s"${c.witness.of("speculative copy")} speculative copies, ${c.witness.of("TaskKilled")} tasks killed"))
      assert(outcome.step == Rows && outcome.stepExact, outcome)
      assert(outcome.foreign == Rows || !outcome.foreignExact, outcome)
    }
    finally hosts.stop()
  }

  test("dropped events") {
    withMetrics("local[2]", "spark.andiron.metrics.queueCapacity" -> "10") { spark =>
      val c = new Counted(spark, "dropped events")
      val (own, accumulator) = (c.own, c.accumulator)
      val rows = c.step.map(spark.sparkContext.parallelize(0 until 2000, 2000)) { n =>
        own.increment()
        accumulator.add(1)
        n
      }
      // The listener's thread waits, so that its queue of ten fills.
      val gate = new java.util.concurrent.CountDownLatch(1)
      Faults.stall(spark.sparkContext, gate)
      assert(rows.count() == 2000)
      gate.countDown()
      val dropped = Faults.queueDrops
      assert(dropped > 0)
      val outcome = Outcomes.note(spark, c.outcome(2000, s"$dropped events dropped"))
      assert(outcome.step == 2000 && outcome.stepExact, outcome)
      assert(!outcome.foreignExact && outcome.foreignReason.nonEmpty, outcome)
    }
  }
}
