package andiron.internal.metrics

import andiron.testing.MetricsSparks._
import andiron.testing.Sparks._
import andiron.testing.SuiteRunner

import org.apache.spark.{SparkEnv, TaskContext}
import org.apache.spark.andironshim.Faults
import org.apache.spark.deploy.TwoHosts
import org.apache.spark.sql.SparkSession
import org.apache.spark.storage.StorageLevel
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
      val counted = new Counted(spark, name, "cluster")
      val outcome = Outcomes.note(spark, counted.outcome(Rows, body(spark, counted), Rows, isWhole = true))
      assert(outcome.wrong.isEmpty, outcome)
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
    killOne(spark, None)
    assert(grouped.map(_._2.size).sum() == Rows)
    assert(c.accumulator.value > Rows)
    s"${c.accumulator.value - Rows} rows were computed again"
  }

  // In one application, whose worker starts another executor for the one that was killed.
  test("blocks of an executor that is lost: replicated ones, and the only ones") {
    withMetrics("local-cluster[2,2,1024]", "spark.executor.memory" -> "512m") { spark =>
      def lost(name: String, level: StorageLevel)(told: Counted => String): Unit = {
        val c = new Counted(spark, name, "cluster")
        eventually("two executors", seconds = 60)(spark.sparkContext.statusTracker.getExecutorInfos.length == 3)
        val (own, accumulator) = (c.own, c.accumulator)
        val rows = c.step.map(spark.sparkContext.parallelize(0 until Rows, 8)) { n =>
          own.increment()
          accumulator.add(1)
          n
        }.persist(level)
        assert(rows.count() == Rows)
        killOne(spark, Some(Faults.holderOf(rows.id, 0)))
        assert(rows.count() == Rows)
        val outcome = Outcomes.note(spark, c.outcome(Rows, told(c), Rows, isWhole = true))
        assert(outcome.wrong.isEmpty, outcome)
        rows.unpersist(): Unit
      }
      lost("cached, replicated, an executor lost", StorageLevel.MEMORY_ONLY_2) { c =>
        assert(c.accumulator.value == Rows)
        "an executor killed, all rows of the second job came from the other's blocks"
      }
      lost("cached, an executor lost with its blocks", StorageLevel.MEMORY_ONLY) { c =>
        assert(c.accumulator.value > Rows)
        s"an executor killed, ${c.accumulator.value - Rows} rows were computed again"
      }
    }
  }

  /** Kills this executor, or any. */
  private def killOne(spark: SparkSession, executor: Option[String]): Unit = {
    val processes = spark.sparkContext.parallelize(0 until 16, 16).map { _ =>
      Thread.sleep(50)
      SparkEnv.get.executorId -> ProcessHandle.current().pid()
    }.distinct().collect().toMap
    ProcessHandle.of(executor.fold(processes.values.head)(processes)).get.destroyForcibly()
    eventually("the executor is gone", seconds = 60)(spark.sparkContext.statusTracker.getExecutorInfos.length <= 2)
  }

  // Spark starts no copy on the host that runs the task already, and the executors of local-cluster share one host name.
  test("speculation, and of a cached RDD") {
    val hosts = new TwoHosts
    val settings = Seq(
      "spark.executor.extraClassPath" -> sys.props("andiron.test.executorClassPath"), "spark.executor.memory" -> "512m", "spark.executor.cores" -> "2",
      "spark.executor.extraJavaOptions" -> "-XX:+UseSerialGC", "spark.locality.wait" -> "0", "spark.speculation" -> "true", "spark.speculation.interval" -> "100ms",
      "spark.speculation.multiplier" -> "1.1", "spark.speculation.quantile" -> "0.5", "spark.speculation.minTaskRuntime" -> "200ms")
    try withMetrics(hosts.url, settings: _*)(spark => Seq(false, true).foreach(speculated(spark, _)))
    finally hosts.stop()
  }

  private def speculated(spark: SparkSession, isCached: Boolean): Unit = {
    val c = new Counted(spark, if (isCached) "cached, a copy wins over the attempt that has stored the block" else "speculation", "cluster")
    val (own, accumulator) = (c.own, c.accumulator)
    eventually("two executors", seconds = 60)(spark.sparkContext.statusTracker.getExecutorInfos.length == 3)
    val counted = c.step.map(spark.sparkContext.parallelize(0 until Rows, 8)) { n =>
      own.increment()
      accumulator.add(1)
      n
    }
    if (isCached) counted.persist(StorageLevel.MEMORY_ONLY_SER)
    val rows = counted.mapPartitionsWithIndex { (index, all) =>
      val read = all.toVector
      if (index == 3 && TaskContext.get().attemptNumber() == 0) Thread.sleep(60000)
      read.iterator
    }
    assert(rows.count() == Rows)
    eventually("the slower copy is killed", seconds = 60)(c.witness.of("TaskKilled") > 0)
    val (copies, killed) = (c.witness.of("speculative copy"), c.witness.of("TaskKilled"))
    assert(copies > 0)
    val outcome = Outcomes.note(spark, c.outcome(Rows, s"$copies speculative copies, $killed tasks killed", Rows, isWhole = true))
    assert(outcome.wrong.isEmpty, outcome)
  }

  test("dropped events") {
    withMetrics("local[2]", "spark.andiron.metrics.queueCapacity" -> "10") { spark =>
      val c = new Counted(spark, "dropped events", "cluster")
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
      val outcome = Outcomes.note(spark, c.outcome(2000, s"$dropped events dropped", 2000, isWhole = true))
      assert(outcome.wrong.isEmpty && !outcome.foreignExact, outcome)
    }
  }
}
