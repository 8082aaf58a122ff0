package andiron.internal.table

import andiron._
import andiron.testing.MetricsSparks._
import andiron.testing.Sparks._
import andiron.testing.SuiteRunner

import org.apache.spark.sql.{DataFrame, Encoders, SparkSession}
import org.apache.spark.sql.functions.lit
import org.junit.runner.RunWith
import org.scalatest.BeforeAndAfterAll
import org.scalatest.funsuite.AnyFunSuite

/** Gates before the manifest of a publish. */
@RunWith(classOf[SuiteRunner])
class TableGateSuite extends AnyFunSuite with BeforeAndAfterAll {
  private var spark: SparkSession = _
  private val directory = java.nio.file.Files.createTempDirectory("table-gates")

  override def beforeAll(): Unit = spark = start("local[2]", settings(directory): _*)

  override def afterAll(): Unit = {
    stop(spark)
    delete(directory)
  }

  /** Ids, of which one in `every` is dropped. */
  private def features(step: Step, rows: Long, every: Long): DataFrame =
    step.map(spark.range(0, rows, 1, 4)) { n => if (n % every == 0) sys.error(s"no history of member $n") else n.longValue }(Encoders.scalaLong).toDF("id")

  test("a gate that passes publishes, one that fails publishes nothing, also behind a cache") {
    val table = VersionedData.table(spark, directory.resolve("features").toUri.toString)
    val (good, bad) = (Step(spark, "good"), Step(spark, "bad"))
    Gate(good, maxDropRatio = 0.01)
    Gate(bad, maxDropRatio = 0.01)
    table.publish(features(good, 10000, 1000), "good", Seq("id"))
    assert(table.versions == Seq("good") && table.get("good", 1).isDefined && table.get("good", 1000).isEmpty)
    val error = causeOf[GateException](intercept[Throwable](table.publish(features(bad, 1000, 5), "bad")))
    assert(error.code == ErrorCode.GateFailed && error.step == "bad" && error.getMessage.contains("200 of 1000"), error)
    val cached = features(bad, 1000, 4).cache()
    assert(cached.count() == 750)
    assert(causeOf[GateException](intercept[Throwable](table.publish(cached.withColumn("x", lit(null).cast("int")), "cached"))).step == "bad")
    table.refresh()
    assert(table.versions == Seq("good"))
    // Rows of no step are not judged.
    table.publish(spark.range(5).toDF(), "plain")
    assert(table.versions == Seq("good", "plain"))
    Seq(good, bad).foreach(_.close())
  }
}
