package andiron.internal.metrics

import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.Files
import java.util.concurrent.CountDownLatch

import org.apache.spark.sql.{DataFrame, Encoders, Row}
import org.apache.spark.sql.streaming.StreamingQueryException
import org.junit.runner.RunWith

import andiron.testing.SuiteRunner

/** Accumulators that are no sums, additions from elsewhere, jobs that fail, batches that are executed again. */
@RunWith(classOf[SuiteRunner])
class ExactnessKindsSuite extends ExactnessScenarios("kinds", "local[2]") {
  import ExactnessKindsSuite._

  exact("an accumulator that keeps a maximum") { c =>
    val max = new Max
    spark.sparkContext.register(max, "greatest")
    c.instead("greatest")(max.value)
    assert(mapped(c, numbers()).map { n => max.add(n + 1L); n }.count() == Rows)
    required(max.value == Rows, "the greatest of 1 to 1000")
  }

  exact("an accumulator that keeps a mean") { c =>
    val mean = new Mean
    spark.sparkContext.register(mean, "mean")
    c.instead("mean")(mean.value.toLong)
    assert(mapped(c, numbers()).map { n => mean.add(n * 2 + 1.0); n }.count() == Rows)
    required(mean.value == 1000.0, "the mean of 1, 3 to 1999")
  }

  exact("additions on the driver") { c =>
    c.accumulator.add(5)
    assert(mapped(c, numbers()).count() == Rows)
    required(c.accumulator.value == Rows + 5, "5 were added on the driver")
  }

  exact("two accumulators of one name, the later one updated first") { c =>
    val other = spark.sparkContext.longAccumulator(c.accumulator.name.get)
    numbers().foreach(_ => other.add(2))
    assert(mapped(c, numbers()).count() == Rows)
    val second = NamedFigures.one(spark, s"${c.accumulator.name.get} #2")
    required(second.committed == 2000 && second.exact, "the other has 2000 as '#2'")
  }

  exact("a counter through a broadcast variable") { c =>
    val (shared, accumulator) = (spark.sparkContext.broadcast(c.own), c.accumulator)
    val rows = c.step.map(numbers()) { n =>
      shared.value.increment()
      accumulator.add(1)
      n
    }
    assert(rows.count() == Rows)
    "the function reaches the counter by the variable"
  }

  flagged("a counter on threads that are not awaited") { c =>
    val (own, accumulator) = (c.own, c.accumulator)
    Latches.mayAdd = new CountDownLatch(1)
    Latches.added = new CountDownLatch(12)
    val rows = c.step.map(numbers()) { n =>
      accumulator.add(1)
      if (n < 12) new Thread(() => {
        Latches.mayAdd.await()
        own.increment()
        Latches.added.countDown()
      }).start()
      else own.increment()
      n
    }
    assert(rows.count() == Rows)
    Latches.mayAdd.countDown()
    Latches.added.await()
    "12 additions came after the end of their tasks"
  }

  exact("a counter on threads that are awaited") { c =>
    val (own, accumulator) = (c.own, c.accumulator)
    val rows = c.step.map(numbers()) { n =>
      accumulator.add(1)
      val thread = new Thread(() => own.increment(): Unit)
      thread.start()
      thread.join()
      n
    }
    assert(rows.count() == Rows)
    "each addition was on a thread of its own"
  }

  partial("a job that fails", calls = 875) { c =>
    val rows = mapped(c, numbers()).mapPartitionsWithIndex { (index, all) =>
      val read = all.toVector
      // After the other tasks have ended, since Spark kills the tasks that still run.
      if (index == 7) {
        Thread.sleep(2000)
        sys.error("injected")
      }
      read.iterator
    }
    intercept[Exception](rows.count())
    required(c.witness.of("ExceptionFailure") == 1, "1 failed task")
  }

  exact("a job that fails, run again") { c =>
    Latches.fails = true
    val rows = mapped(c, numbers()).mapPartitionsWithIndex { (index, all) =>
      val read = all.toVector
      if (index == 7 && Latches.fails) sys.error("injected")
      read.iterator
    }
    intercept[Exception](rows.count())
    Latches.fails = false
    assert(rows.count() == Rows)
    required(c.witness.of("ExceptionFailure") == 1, "1 failed task")
  }

  exact("foreachBatch, a batch executed again after a restart") { c =>
    val f = count(c)
    val source = Files.createDirectory(directory.resolve("batches"))
    Seq(0 until 500, 500 until 550, 550 until 1000).zipWithIndex.foreach { case (rows, n) =>
      Files.write(source.resolve(s"$n.txt"), rows.mkString("\n").getBytes(UTF_8)).toFile.setLastModified(1600000000000L + n * 60000L)
    }
    var executed = Vector.empty[Long]
    val perBatch: (DataFrame, Long) => Unit = { (rows, id) =>
      assert(c.step.map(rows)((row: Row) => f(row.getString(0).toInt))(Encoders.scalaInt).collect().nonEmpty)
      executed :+= id
      if (executed == Vector(0L, 1L)) sys.error("the driver goes down")
    }
    def run(): Unit = {
      val rows = spark.readStream.option("maxFilesPerTrigger", 1L).text(source.toString)
      // `option` has other classes in Spark 4.1: the checkpoint is at the place that the setting says.
      val query = rows.writeStream.foreachBatch(perBatch).queryName("batches").start()
      try query.processAllAvailable()
      finally query.stop()
    }
    withConf("spark.sql.streaming.checkpointLocation" -> directory.resolve("batches-checkpoints").toString) {
      intercept[StreamingQueryException](run())
      run()
    }
    required(executed == Vector(0L, 1L, 1L, 2L) && c.accumulator.value == Rows + 50, "the batch of 50 rows was executed twice")
  }
}

object ExactnessKindsSuite {

  /** The latch of the tasks of this process. */
  object Latches {
    @volatile var mayAdd = new CountDownLatch(1)
    @volatile var added = new CountDownLatch(1)
    @volatile var fails = true
  }
}
