package andiron.internal.metrics

import java.nio.file.{Files, Path}

import andiron._
import andiron.testing.MetricsSparks._
import andiron.testing.Sparks._
import andiron.testing.{Logged, SuiteRunner}

import org.apache.spark.sql.{Dataset, Encoder, Encoders, SparkSession}
import org.apache.spark.andironshim.Streams
import org.junit.runner.RunWith
import org.scalatest.BeforeAndAfterAll
import org.scalatest.funsuite.AnyFunSuite

/** A step that has dropped all of its rows: the rule R6 of docs/internals/gates.md. */
@RunWith(classOf[SuiteRunner])
class AllDroppedSuite extends AnyFunSuite with BeforeAndAfterAll {
  private var spark: SparkSession = _
  private val directory = Files.createTempDirectory("all-dropped")
  private implicit val longs: Encoder[Long] = Encoders.scalaLong

  override def beforeAll(): Unit = spark = start("local[4]", settings(directory): _*)

  override def afterAll(): Unit = {
    stop(spark)
    delete(directory)
  }

  private def to(name: String): Path = directory.resolve(name)

  /** A typo: every row fails. */
  private def broken(step: Step): Dataset[Long] = step.map(spark.range(0, 1000, 1, 8))(n => s"n$n".toLong)

  private def brokenRdd(step: Step) = step.map(spark.sparkContext.range(0, 1000, 1, 8))(n => s"n$n".toLong)

  private def says(error: Throwable): String =
    Iterator.iterate(error)(_.getCause).takeWhile(_ != null).map(e => String.valueOf(e.getMessage)).mkString("\n")

  private def named(name: String)(body: Step => Unit): Unit = test(name) {
    val step = Step(spark, name)
    try body(step)
    finally step.close()
  }

  for ((action, run) <- Seq[(String, (Step, Path) => Any)](
      "a parquet write" -> ((step, path) => broken(step).write.parquet(path.toString)),
      "saveAsTextFile" -> ((step, path) => brokenRdd(step).saveAsTextFile(path.toString)),
      "foreachPartition" -> ((step, _) => brokenRdd(step).foreachPartition(_.foreach(_ => ()))),
      "a Dataset's foreachPartition" -> ((step, _) => broken(step).foreachPartition((rows: Iterator[Long]) => rows.foreach(_ => ()))),
      "count" -> ((step, _) => brokenRdd(step).count()),
      "a Dataset's count" -> ((step, _) => broken(step).count()),
      "an aggregate" -> ((step, path) => broken(step).groupBy("value").count().write.parquet(path.toString)),
      "the only task of all partitions" -> ((step, path) => broken(step).coalesce(1).write.parquet(path.toString))))
    named(s"$action fails and says why") { step =>
      val out = to(s"fails-${action.replace(' ', '-')}")
      val said = says(intercept[Exception](run(step, out)))
      Seq(s"step '${step.name}'", "every one of the 1000 rows", "map at AllDroppedSuite.scala", "NumberFormatException", "spark.andiron.onAllDropped=warn")
        .foreach(part => assert(said.contains(part), said))
      assert(files(out) == Nil)
    }

  named("an overwrite keeps what was there") { step =>
    spark.range(5).write.parquet(to("kept").toString)
    intercept[Exception](broken(step).write.mode("overwrite").parquet(to("kept").toString))
    assert(spark.read.parquet(to("kept").toString).count() == 5)
  }

  for ((action, run) <- Seq[(String, Dataset[Long] => Any)]("show" -> (_.show()), "take" -> (_.take(3)), "an RDD's take" -> (_.rdd.take(3))))
    named(s"$action only warns") { step =>
      val (lines, _) = Logged.during("andiron.Gate")(run(broken(step)))
      assert(lines.count(_.contains(s"step '${step.name}' has dropped")) == 1, lines)
    }

  named("a stream only warns") { step =>
    val source = Streams.memory(spark)
    val out = to("stream").toString
    def batch(rows: Dataset[Long], id: Long): Unit = {
      assert(step.map(rows)(n => s"n$n".toLong).count() == 0)
      step.map(rows)(n => s"n$n".toLong).write.parquet(s"$out-$id")
    }
    val query = source.frame.writeStream.foreachBatch(batch _).start()
    val (lines, _) = Logged.during("andiron.Gate") {
      source.add(Seq(1L, 2L, 3L))
      query.processAllAvailable()
    }
    query.stop()
    assert(query.exception.isEmpty && lines.count(_.contains(s"step '${step.name}' has dropped")) == 1, lines)
    assert(files(to("stream-0")).contains("_SUCCESS"))
  }

  named("a gate decides in its place") { step =>
    Gate(step, maxDropRatio = 1)
    broken(step).write.parquet(to("gated").toString)
    assert(files(to("gated")).contains("_SUCCESS") && broken(step).count() == 0)
  }

  named("one bad file of many") { step =>
    val rows = step.map(spark.sparkContext.range(0, 1000, 1, 8))(n => if (n < 125) sys.error("bad file") else n)
    assert(rows.count() == 875 && rows.map(identity).collect().length == 875)
    rows.saveAsTextFile(to("one-bad").toString)
    spark.createDataset(rows).write.parquet(to("one-bad-parquet").toString)
  }

  named("empty partitions are neutral, and so is no row at all") { step =>
    val few = step.map(spark.sparkContext.parallelize(Seq(1L, 2L), 8))(n => if (n == 1) sys.error("bad") else n)
    assert(few.count() == 1)
    assert(step.map(spark.sparkContext.parallelize(Seq.empty[Long], 4))(identity).count() == 0)
    val none = step.map(spark.sparkContext.parallelize(Seq(1L, 2L), 8))(n => s"n$n".toLong)
    assert(says(intercept[Exception](none.count())).contains("every one of the 2 rows"))
  }

  named("what a filter leaves out is not dropped") { step =>
    assert(step.filter(spark.range(0, 100, 1, 4))(_ => false).count() == 0)
  }

  named("rows that an earlier job has lost are read again") { step =>
    val isDown = spark.sparkContext.longAccumulator
    val file = Files.createFile(to("down")).toString
    val rows = step.map(spark.sparkContext.range(0, 8, 1, 8))(n => if (n == 0 || Files.exists(java.nio.file.Paths.get(file))) sys.error("down") else n)
    intercept[Exception](rows.count())
    Files.delete(java.nio.file.Paths.get(file))
    assert(rows.count() == 7 && isDown.value == 0)
  }

  test("with warn a tiny dataset may fail whole") {
    withMetricsWarning { (warning, out) =>
      val step = Step(warning, "tiny")
      val (lines, _) = Logged.during("andiron.Gate") {
        val rows = step.map(warning.sparkContext.parallelize(Seq(1L), 1))(n => s"n$n".toLong)
        assert(rows.count() == 0)
        rows.saveAsTextFile(out.toString)
      }
      assert(lines.count(_.contains("step 'tiny' has dropped")) == 1, lines)
    }
  }

  private def withMetricsWarning(body: (SparkSession, Path) => Unit): Unit = {
    stop(spark)
    try withDirectory(out => withMetrics("local[2]", AndironConf.OnAllDropped.key -> "warn")(body(_, out.resolve("out"))))
    finally spark = start("local[4]", settings(directory): _*)
  }
}
