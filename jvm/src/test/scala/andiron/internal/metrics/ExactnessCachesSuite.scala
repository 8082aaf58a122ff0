package andiron.internal.metrics

import java.util.concurrent.{ConcurrentHashMap, CountDownLatch, TimeUnit}

import andiron.testing.Sparks._
import andiron.testing.SuiteRunner

import org.apache.spark.TaskContext
import org.apache.spark.andironshim.Faults
import org.apache.spark.rdd.RDD
import org.apache.spark.sql.{Dataset, Encoders}
import org.apache.spark.storage.StorageLevel
import org.junit.runner.RunWith

/** Blocks and checkpoints that answer in the place of the function. Its application has 30 MiB of memory for blocks. */
@RunWith(classOf[SuiteRunner])
class ExactnessCachesSuite extends ExactnessScenarios("caches", "local[4,4]", "spark.testing.memory" -> (50 << 20).toString, "spark.testing.reservedMemory" -> "1") {
  import ExactnessCachesSuite._

  private def cached(c: Counted, level: StorageLevel = StorageLevel.MEMORY_ONLY): RDD[Int] = mapped(c, numbers()).persist(level)

  private def failures(c: Counted): String =
    required(c.witness.of("ExceptionFailure") > 0, s"${c.witness.of("ExceptionFailure")} failed tasks")

  for ((what, level) <- Seq("" -> StorageLevel.MEMORY_ONLY, ", serialised" -> StorageLevel.MEMORY_ONLY_SER, ", on disk" -> StorageLevel.DISK_ONLY))
    exact(s"cached$what, tasks retried after they have stored their blocks") { c =>
      val rows = cached(c, level)
      assert(failingOnce(rows).count() == Rows)
      rows.unpersist()
      failures(c)
    }

  exact("cached, all tasks retried") { c =>
    val rows = cached(c)
    assert(failingOnce(rows, _ => true).count() == Rows)
    rows.unpersist()
    required(c.witness.of("ExceptionFailure") == 8, "8 failed tasks, one for each partition")
  }

  exact("cached, the tasks of a later job retried") { c =>
    val rows = cached(c)
    assert(rows.count() == Rows && failingOnce(rows).count() == Rows)
    rows.unpersist()
    failures(c)
  }

  exact("cached, map stage's second attempt reads blocks") { c =>
    val rows = cached(c)
    val shuffled = rows.map(n => (n % 7, n)).groupByKey(4)
    val shuffle = Faults.shuffleOf(shuffled)
    val groups = shuffled.mapPartitions { all =>
      if (TaskContext.get().stageAttemptNumber() == 0) Faults.failFetch(shuffle)
      all
    }
    assert(groups.map(_._2.size).sum() == Rows)
    rows.unpersist()
    required(c.accumulator.value == Rows && c.witness.of("later stage attempt") > 0,
      s"${c.witness.of("later stage attempt")} tasks in later stage attempts, all rows from blocks")
  }

  exact("cached, two jobs at once") { c =>
    val rows = cached(c)
    val began = new CountDownLatch(1)
    val failed = ConcurrentHashMap.newKeySet[Throwable]()
    val threads = (1 to 2).map(_ => new Thread(() =>
      try {
        began.await()
        assert(rows.count() == Rows)
      } catch { case t: Throwable => failed.add(t): Unit }))
    threads.foreach(_.start())
    began.countDown()
    threads.foreach(_.join())
    assert(failed.isEmpty, failed)
    rows.unpersist()
    required(c.witness.of("success") == 16, "16 tasks of two jobs")
  }

  exact("cached, a cancelled job run again") { c =>
    val rows = cached(c)
    Waiting.reset()
    val first = new Thread(() =>
      try rows.mapPartitionsWithIndex { (index, all) =>
        val read = all.toVector
        if (index == 0) Waiting.untilKilled()
        read.iterator
      }.count(): Unit
      catch { case _: Exception => () })
    first.start()
    assert(Waiting.began.await(60, TimeUnit.SECONDS))
    spark.sparkContext.cancelAllJobs()
    first.join()
    assert(rows.count() == Rows)
    rows.unpersist()
    eventually("the task is killed", seconds = 60)(c.witness.of("TaskKilled") > 0)
    s"${c.witness.of("TaskKilled")} tasks killed"
  }

  exact("cached, a failed job run again") { c =>
    val rows = cached(c)
    intercept[Exception](rows.mapPartitionsWithIndex { (index, all) =>
      val read = all.toVector
      if (index == 3) sys.error("injected, always")
      read.iterator
    }.count())
    assert(rows.count() == Rows)
    rows.unpersist()
    failures(c)
  }

  exact("cached, a second job answered by blocks") { c =>
    val rows = cached(c)
    assert(rows.count() == Rows && rows.count() == Rows)
    rows.unpersist()
    required(c.accumulator.value == Rows, "the second job has computed no row")
  }

  exact("cached, take, then all") { c =>
    val rows = cached(c)
    assert(rows.take(5).length == 5 && rows.count() == Rows)
    rows.unpersist()
    required(c.accumulator.value == Rows, "the partition of take came from its block")
  }

  exact("cached, union with itself") { c =>
    val rows = cached(c)
    assert(rows.union(rows).coalesce(1).count() == 2 * Rows)
    rows.unpersist()
    required(c.accumulator.value == Rows, "the second branch came from blocks, in the same task")
  }

  exact("cached on the step's input only, tasks retried") { c =>
    val input = numbers().persist()
    assert(input.count() == Rows)
    assert(failingOnce(mapped(c, input)).count() == Rows)
    input.unpersist()
    failures(c)
  }

  exact("memory refuses the blocks") { c =>
    val rows = mapped(c, numbers()).map(n => (n, new Array[Byte](100 * 1024))).persist(StorageLevel.MEMORY_ONLY)
    assert(rows.count() == Rows && rows.count() == Rows)
    rows.unpersist()
    required(c.accumulator.value > Rows, s"${c.accumulator.value - Rows} rows were computed again, whose blocks had no room")
  }

  exact("blocks evicted by those of another RDD") { c =>
    def filled(rows: RDD[Int]): RDD[(Int, Array[Byte])] = rows.map(n => (n, new Array[Byte](20 * 1024))).persist(StorageLevel.MEMORY_ONLY)
    val rows = filled(mapped(c, numbers()))
    assert(rows.count() == Rows)
    val other = filled(numbers())
    assert(other.count() == Rows && rows.count() == Rows)
    Seq(rows, other).foreach(_.unpersist())
    required(c.accumulator.value > Rows, s"${c.accumulator.value - Rows} rows were computed again")
  }

  exact("unpersisted while a job reads it") { c =>
    val rows = cached(c)
    assert(rows.count() == Rows)
    val read = rows.mapPartitionsWithIndex { (index, all) =>
      if (index == 7) assert(Waiting.released.await(60, TimeUnit.SECONDS))
      all
    }
    Waiting.reset()
    val job = read.countAsync()
    rows.unpersist(blocking = true)
    Waiting.released.countDown()
    assert(job.get() == Rows)
    "its blocks were removed while tasks waited"
  }

  exact("local checkpoint, tasks retried") { c =>
    val rows = mapped(c, numbers())
    rows.localCheckpoint()
    assert(failingOnce(rows).count() == Rows && rows.count() == Rows)
    required(c.witness.of("ExceptionFailure") > 0 && rows.isCheckpointed, s"${c.witness.of("ExceptionFailure")} failed tasks, the lineage was cut")
  }

  exact("reliable checkpoint") { c =>
    spark.sparkContext.setCheckpointDir(directory.resolve("checkpoints").toString)
    val rows = mapped(c, numbers())
    rows.checkpoint()
    assert(rows.count() == Rows && rows.count() == Rows)
    required(rows.isCheckpointed && c.accumulator.value == 2 * Rows, "the rows were computed once more for the file, and then read from it")
  }

  exact("checkpoint of a Dataset") { c =>
    spark.sparkContext.setCheckpointDir(directory.resolve("checkpoints").toString)
    val rows = mapped(c, range()).checkpoint()
    assert(rows.count() == Rows && rows.count() == Rows)
    "the lineage was cut"
  }

  for (adaptive <- Seq(true, false))
    exact(s"cached Dataset, tasks retried, adaptive execution ${if (adaptive) "on" else "off"}") { c =>
      withConf("spark.sql.adaptive.enabled" -> adaptive.toString) {
        val rows = mapped(c, range()).cache()
        assert(failing(rows).count() == Rows && rows.count() == Rows)
        rows.unpersist()
      }
      failures(c)
    }

  exact("cached Dataset, two queries at once") { c =>
    val rows = mapped(c, range()).cache()
    val failed = ConcurrentHashMap.newKeySet[Throwable]()
    val threads = (1 to 2).map(n => new Thread(() =>
      try assert(rows.where(s"value >= ${n - 1}").count() == Rows - n + 1)
      catch { case t: Throwable => failed.add(t): Unit }))
    threads.foreach(_.start())
    threads.foreach(_.join())
    assert(failed.isEmpty, failed)
    rows.unpersist()
    required(c.witness.of("success") >= 18, s"${c.witness.of("success")} tasks of two queries")
  }

  exact("cached Dataset, union with itself") { c =>
    val rows = mapped(c, range()).cache()
    assert(rows.union(rows).collect().length == 2 * Rows)
    rows.unpersist()
    "both branches read one cached plan"
  }

  exact("cached Dataset, cached again") { c =>
    val rows = mapped(c, range())
    (1 to 2).foreach { _ =>
      assert(rows.cache().count() == Rows)
      rows.unpersist(true)
    }
    required(c.accumulator.value == 2 * Rows, "the rows were computed twice")
  }

  partial("cached by a part of each partition", calls = 16) { c =>
    val rows = mapped(c, numbers()).mapPartitions(_.take(2)).persist()
    assert(rows.count() == 16 && rows.count() == 16)
    rows.unpersist()
    required(c.accumulator.value == 16, "16 rows were computed")
  }

  private def failing(rows: Dataset[Long]): Dataset[Long] = rows.mapPartitions { all: Iterator[Long] =>
    val read = all.toVector
    if (TaskContext.getPartitionId() % 2 == 0 && TaskContext.get().attemptNumber() == 0) sys.error("injected")
    read.iterator
  }(Encoders.scalaLong)
}

object ExactnessCachesSuite {

  /** Tasks of this process that wait. */
  object Waiting {
    @volatile var began = new CountDownLatch(1)
    @volatile var released = new CountDownLatch(1)

    def reset(): Unit = {
      began = new CountDownLatch(1)
      released = new CountDownLatch(1)
    }

    def untilKilled(): Unit = {
      began.countDown()
      val end = System.nanoTime() + 60000000000L
      while (!TaskContext.get().isInterrupted() && System.nanoTime() < end) Thread.sleep(10)
    }
  }
}
