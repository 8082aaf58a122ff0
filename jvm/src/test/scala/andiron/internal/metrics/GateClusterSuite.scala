package andiron.internal.metrics

import java.nio.file.Path

import andiron._
import andiron.testing.MetricsSparks._
import andiron.testing.Sparks._
import andiron.testing.SuiteRunner

import org.apache.spark.TaskContext
import org.apache.spark.deploy.TwoHosts
import org.apache.spark.rdd.RDD
import org.apache.spark.sql.{Encoder, Encoders, SparkSession}
import org.apache.spark.storage.StorageLevel
import org.junit.runner.RunWith
import org.scalatest.funsuite.AnyFunSuite

/** Gates where executors are processes of their own: cells below a persisted RDD reach the driver before their block is stored. */
@RunWith(classOf[SuiteRunner])
class GateClusterSuite extends AnyFunSuite {
  private implicit val longs: Encoder[Long] = Encoders.scalaLong

  /** 1,000 rows in 8 partitions; the 100 bad ones are in the first. */
  private def features(spark: SparkSession, step: Step): RDD[Long] =
    step.map(spark.sparkContext.range(0, 1000, 1, 8))(n => if (n < 100) sys.error(s"no history of $n") else n)

  private def refused(out: Path)(write: => Unit): Unit = {
    val failure = causeOf[GateException](intercept[Exception](write))
    assert(failure.code == 200 && failure.getMessage.contains("100 of 1000"), failure.getMessage)
    assert(files(out) == Nil)
  }

  test("a replicated block is read after its executor is lost, which has told nothing at its end") {
    withDirectory { directory =>
      withMetrics("local-cluster[2,2,1024]", "spark.executor.memory" -> "512m") { spark =>
        val step = Step(spark, "replicated")
        Gate(step)
        eventually("two executors", seconds = 60)(spark.sparkContext.statusTracker.getExecutorInfos.length == 3)
        val cached = features(spark, step).persist(StorageLevel.MEMORY_AND_DISK_2)
        val failing = cached.mapPartitionsWithIndex { (index, rows) =>
          val read = rows.toVector
          if (index == 0 && TaskContext.get().attemptNumber() == 0) Runtime.getRuntime.halt(1)
          read.iterator
        }
        refused(directory.resolve("out"))(spark.createDataset(failing).write.parquet(directory.resolve("out").toString))
        assert(step.figures.in == 1000 && step.figures.dropped == 100, step.figures)
        refused(directory.resolve("again"))(spark.createDataset(cached).write.parquet(directory.resolve("again").toString))
        // A good write passes under the same faults.
        val good = Step(spark, "good")
        Gate(good)
        val rows = good.map(spark.sparkContext.range(0, 1000, 1, 8))(n => n).persist(StorageLevel.MEMORY_AND_DISK_2)
        spark.createDataset(rows).repartition(3).write.parquet(directory.resolve("good").toString)
        assert(files(directory.resolve("good")).contains("_SUCCESS"))
      }
    }
  }

  test("a step and a gate that outlive their SparkContext are released") {
    val (step, gate) = withMetrics("local[2]") { spark =>
      val made = Step(spark, "of yesterday")
      (made, Gate(made))
    }
    withMetrics("local[2]") { spark =>
      val uses = Seq[() => Any](
        () => step.map(spark.sparkContext.range(0, 10))(n => n), () => step.map(spark.range(10))(n => n.longValue), () => step.counter("more"),
        () => Gate(step), () => Andiron.guard(gate)(1))
      uses.foreach(use => assert(intercept[ReleasedException](use()).getMessage.contains("SparkContext that has stopped")))
    }
  }

  // Spark starts no copy on the host that runs the task already, and the executors of local-cluster share one host name.
  test("speculation: the first attempt has cached, and the copy that reads its block wins") {
    val hosts = new TwoHosts
    val settings = Seq(
      "spark.executor.extraClassPath" -> sys.props("andiron.test.executorClassPath"), "spark.executor.memory" -> "512m", "spark.executor.cores" -> "2",
      "spark.executor.extraJavaOptions" -> "-XX:+UseSerialGC", "spark.locality.wait" -> "0", "spark.speculation" -> "true", "spark.speculation.interval" -> "100ms",
      "spark.speculation.multiplier" -> "1.1", "spark.speculation.quantile" -> "0.5", "spark.speculation.minTaskRuntime" -> "200ms")
    try withDirectory { directory =>
      withMetrics(hosts.url, settings: _*) { spark =>
        val step = Step(spark, "speculated")
        Gate(step)
        eventually("two executors", seconds = 60)(spark.sparkContext.statusTracker.getExecutorInfos.length == 3)
        val cached = features(spark, step).cache()
        val slow = cached.mapPartitionsWithIndex { (index, rows) =>
          val read = rows.toVector
          if (index == 0 && TaskContext.get().attemptNumber() == 0) Thread.sleep(60000)
          read.iterator
        }
        refused(directory.resolve("out"))(spark.createDataset(slow).write.parquet(directory.resolve("out").toString))
        assert(step.figures.in == 1000 && step.figures.dropped == 100, step.figures)
      }
    }
    finally hosts.stop()
  }
}
