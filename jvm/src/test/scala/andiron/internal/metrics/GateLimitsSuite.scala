package andiron.internal.metrics

import java.nio.file.{Files, Path}

import andiron._
import andiron.testing.MetricsSparks._
import andiron.testing.Sparks._
import andiron.testing.SuiteRunner

import org.apache.spark.sql.{Dataset, Encoders, SparkSession}
import org.junit.runner.RunWith
import org.scalatest.BeforeAndAfterAll
import org.scalatest.funsuite.AnyFunSuite

/** Every limit of a gate, before the commit of a write, with the commit protocol that the application was configured with. */
@RunWith(classOf[SuiteRunner])
class GateLimitsSuite extends AnyFunSuite with BeforeAndAfterAll {
  private var spark: SparkSession = _
  private val directory = Files.createTempDirectory("gate-limits")

  override def beforeAll(): Unit =
    spark = start("local[2]", settings(directory) :+ ("spark.sql.sources.commitProtocolClass" -> classOf[CountingProtocol].getName): _*)

  override def afterAll(): Unit = {
    stop(spark)
    delete(directory)
  }

  /** `rows` rows, of which the first `dropped` are dropped. */
  private def features(step: Step, rows: Long, dropped: Long): Dataset[Long] =
    step.map(spark.range(0, rows, 1, 4))(n => if (n < dropped) throw new IllegalStateException(s"no history of member $n") else n.longValue)(Encoders.scalaLong)

  private def written(name: String): Path = directory.resolve(name)

  private def passes(name: String, gate: Step => Gate, rows: Long, dropped: Long): Unit = {
    val step = Step(spark, name)
    gate(step)
    val before = CountingProtocol.commits.get
    features(step, rows, dropped).write.parquet(written(name).toString)
    assert(files(written(name)).contains("_SUCCESS") && CountingProtocol.commits.get == before + 1, name)
    step.close()
  }

  private def fails(name: String, gate: Step => Gate, rows: Long, dropped: Long, says: String*): Unit = {
    spark.range(7).write.parquet(written(name).toString)
    val old = files(written(name))
    val before = CountingProtocol.commits.get
    for (mode <- Seq("append", "overwrite")) {
      val step = Step(spark, s"$name $mode")
      gate(step)
      val e = intercept[Exception](features(step, rows, dropped).write.mode(mode).parquet(written(name).toString))
      val message = Iterator.iterate[Throwable](e)(_.getCause).takeWhile(_ != null).map(_.toString).mkString("\n")
      (says :+ s"$name $mode").foreach(part => assert(message.contains(part), message))
      assert(files(written(name)) == old && CountingProtocol.commits.get == before, mode)
      step.close()
    }
    assert(spark.read.parquet(written(name).toString).count() == 7)
  }

  test("the ratio: at the limit it passes, above it fails") {
    passes("ratio", Gate(_, maxDropRatio = 0.02), 1000, 20)
    fails("ratio-above", Gate(_, maxDropRatio = 0.02), 1000, 21, "21 of 1000", "2.1")
  }

  test("so many rows: at the limit it passes, above it fails, whether a stage was cancelled or the commit refused") {
    passes("absolute", Gate(_, maxDropRatio = 1, maxDropped = 20), 1000, 20)
    fails("absolute-above", Gate(_, maxDropRatio = 1, maxDropped = 20), 1000, 21, "21 of", "20")
  }

  test("the fewest rows: at the limit it passes, below it fails") {
    passes("fewest", Gate(_, minRows = 1000), 1000, 0)
    fails("fewest-below", Gate(_, minRows = 1000), 999, 0, "999", "1000")
  }

  test("no rows: the gate says what its policy is, and fails unless told otherwise") {
    passes("none", Gate(_, onZeroRows = ZeroRows.Pass), 0, 0)
    fails("none-told", Gate(_, onZeroRows = ZeroRows.Fail), 0, 0)
    fails("none-untold", Gate(_), 0, 0)
    fails("none-but-fewest", Gate(_, onZeroRows = ZeroRows.Pass, minRows = 1), 0, 0, "1")
  }

  test("all rows dropped") {
    passes("all", Gate(_, maxDropRatio = 1), 100, 100)
    fails("all-of-them", Gate(_, maxDropRatio = 0.999), 100, 100, "100 of 100")
  }

  test("two gates on one write: both must pass") {
    val (first, second) = (Step(spark, "first"), Step(spark, "second"))
    Gate(first, maxDropRatio = 0.5)
    val strict = Gate(second, maxDropRatio = 0)
    def frame = second.map(features(first, 1000, 100))(n => if (n == 999) sys.error("the last") else n)(Encoders.scalaLong)
    val e = causeOf[GateException](intercept[Exception](frame.write.parquet(written("both").toString)))
    assert(e.step == "second" && files(written("both")) == Nil, e)
    assert(strict.maxDropRatio == 0)
    Seq(first, second).foreach(_.close())
  }

  test("partitions at other places than the table's: what a failed gate refuses stays away from them too") {
    spark.sql(s"CREATE TABLE placed (value BIGINT, p INT) USING parquet PARTITIONED BY (p) LOCATION '${written("placed").toUri}'")
    spark.sql(s"ALTER TABLE placed ADD PARTITION (p = 1) LOCATION '${written("elsewhere").toUri}'")
    spark.range(3).selectExpr("id AS value", "1 AS p").write.insertInto("placed")
    val (here, there) = (files(written("placed")), files(written("elsewhere")))
    assert(there.nonEmpty)
    val step = Step(spark, "placed")
    Gate(step, maxDropRatio = 0.01)
    for (overwrite <- Seq(false, true)) {
      val e = intercept[Exception](features(step, 1000, 500).selectExpr("value", "1 AS p").write.mode(if (overwrite) "overwrite" else "append").insertInto("placed"))
      assert(causeOf[GateException](e).step == "placed")
      assert(files(written("placed")) == here && files(written("elsewhere")) == there, overwrite)
    }
    assert(spark.table("placed").count() == 3)
    step.close()
    spark.sql("DROP TABLE placed")
  }

  test("what has no commit of a V1 source is covered by guard, after publication") {
    val step = Step(spark, "guarded")
    val gate = Gate(step, maxDropRatio = 0.01)
    val e = intercept[GateException](Andiron.guard(gate) {
      step.map(spark.sparkContext.parallelize(0 until 100, 2))(n => 100 / (n % 5)).saveAsTextFile(written("text").toString)
    })
    assert(e.getMessage.contains("20 of 100") && files(written("text")).contains("_SUCCESS"), e)
    step.close()
  }
}
