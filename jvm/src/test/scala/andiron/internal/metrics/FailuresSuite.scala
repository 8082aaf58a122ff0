package andiron.internal.metrics

import java.nio.file.Path

import andiron._
import andiron.testing.MetricsSparks._
import andiron.testing.Sparks._
import andiron.testing.SuiteRunner

import org.apache.spark.sql.{DataFrame, Dataset, Encoder, Encoders, SparkSession}
import org.junit.runner.RunWith
import org.scalatest.funsuite.AnyFunSuite

/** Failed rows as data: of the application that runs, and of those that have ended. */
@RunWith(classOf[SuiteRunner])
class FailuresSuite extends AnyFunSuite {
  private implicit val longs: Encoder[Long] = Encoders.scalaLong

  /** Of `n` rows those whose last digit is 7 fail, each with a message of its own. */
  private def run(spark: SparkSession, step: Step, n: Long, rows: StepRows[java.lang.Long]): Dataset[Long] =
    rows.map(spark.range(0, n, 1, 2))(id => if (id % 10 == 7) throw new IllegalStateException(s"no history of $id") else id.longValue)

  private def keyed(step: Step): StepRows[java.lang.Long] = step.keyed[java.lang.Long](id => s"member $id").version(_ => "v1")

  private def texts(rows: DataFrame, column: String): Seq[String] = rows.select(column).collect().map(_.getString(0)).toSeq

  test("a step's failed rows are a DataFrame") {
    withMetrics("local[2]") { spark =>
      val step = Step(spark, "history")
      assert(run(spark, step, 40, keyed(step)).count() == 36)
      val failures = step.failures
      val row = failures.where("row_key = 'member 17'").first()
      def text(name: String): String = row.getAs[String](name)
      assert(text("app_id") == spark.sparkContext.applicationId && text("step") == "history" && text("site").startsWith("map at FailuresSuite"))
      assert(text("error_class") == "java.lang.IllegalStateException" && text("message") == "no history of 17" && text("version") == "v1")
      assert(text("stack").contains("FailuresSuite") && text("record") == "17" && text("key_hash") != null && text("group") == null)
      assert(row.getAs[Long]("stage") == 0L && row.getAs[Long]("partition") == 0L && row.getAs[Boolean]("committed") && row.getAs[Long]("count") == 1L)
      assert(math.abs(row.getAs[java.sql.Timestamp]("time").getTime - System.currentTimeMillis()) < 600000)
      assert(texts(failures.orderBy("row_key"), "row_key") == Seq("member 17", "member 27", "member 37", "member 7"))
      // Every sample has its stack, and reading again gives the same samples.
      assert(failures.where("stack is null").count() == 0)
      run(spark, step, 60, keyed(step)).count()
      assert(failures.count() == 4 && Andiron.failures(spark).count() == 6)
    }
  }

  test("each object of a step has its own failed rows, the application those of all") {
    withMetrics("local[2]") { spark =>
      val steps = Seq(20L, 40L).map { n =>
        val step = Step(spark, "cell")
        step.keyed[java.lang.Long](id => s"$n: $id").map(spark.range(0, n, 1, 2))(id => if (id % 10 == 7) sys.error("gone") else id.longValue).count()
        step
      }
      assert(steps.map(_.failures.count()) == Seq(2, 4))
      steps.foreach(_.close())
      assert(steps.map(_.failures.count()) == Seq(2, 4), "after it is closed")
      assert(Andiron.failures(spark).groupBy("step").count().collect().map(row => (row.getString(0), row.getLong(1))).toSeq == Seq("cell" -> 6L))
    }
  }

  test("the log has the same rows, while the application runs and after its end") {
    withDirectory { directory =>
      def logs(directory: Path) = directory.resolve("log").toString
      val (id, own) = withSpark("local[2]", settings(directory) :+ (AndironConf.RunId.key -> "nightly"): _*) { spark =>
        val step = Step(spark, "history")
        run(spark, step, 40, keyed(step)).count()
        Andiron.report(spark)
        val own = step.failures.drop("time").collect().map(_.toString).toSet
        assert(Andiron.failures(spark, logs(directory)).drop("time").collect().map(_.toString).toSet == own)
        (spark.sparkContext.applicationId, own)
      }
      assert(own.size == 4 && own.forall(_.contains("nightly")))
      withMetrics("local[2]") { spark =>
        def rows(of: DataFrame) = of.drop("time").collect().map(_.toString).toSet
        assert(rows(Andiron.failures(spark, logs(directory))) == own)
        assert(rows(Andiron.failures(spark, logs(directory), id)) == own)
        // An archive is named by a URI.
        assert(rows(Andiron.failures(spark, s"file://${directory.resolve("log")}")) == own)
        assert(Andiron.failures(spark).count() == 0)
        val unknown = intercept[AndironException](Andiron.failures(spark, logs(directory), "none"))
        assert(unknown.getMessage.contains("no log of none"))
      }
    }
  }

  test("top causes are counted by the user's groups") {
    withMetrics("local[2]") { spark =>
      val step = Step(spark, "history")
      val gate = Gate(step, maxDropRatio = 0.01)
      val rows = keyed(step).group((id, error) => (if (id < 30) "early" else "late") + error.getMessage.take(2))
      val refused = intercept[GateException](Andiron.guard(gate)(run(spark, step, 100, rows).count()))
      assert(refused.getMessage.contains("causes: 7 x lateno: 7 different messages, for example: java.lang.IllegalStateException: no history of "), refused)
      assert(refused.getMessage.contains("3 x earlyno: 3 different messages"), refused)
      val counts = step.failures.groupBy("group").count().collect().map(row => row.getString(0) -> row.getLong(1)).toMap
      assert(counts == Map("earlyno" -> 3L, "lateno" -> 7L))
      val report = Andiron.report(spark)
      assert(report.contains("lateno: 7 different messages, for example: java.lang.IllegalStateException: no history of"), report)
      assert(Andiron.reportHtml(spark).contains("lateno"))
    }
  }

  test("what names a group may throw, and is redacted") {
    withMetrics("local[2]") { spark =>
      val step = Step(spark, "history")
      run(spark, step, 40, keyed(step).group((id, _) => if (id == 7) sys.error("no name") else s"secret of $id").redact(_.replaceAll("secret", "*"))).count()
      assert(texts(step.failures.orderBy("record"), "group") == Seq("* of 17", "* of 27", "* of 37", "(not shown: java.lang.RuntimeException)"))
    }
  }

  test("errors of one stack with different messages are one cause, called by its class") {
    withMetrics("local[2]") { spark =>
      val step = Step(spark, "history")
      val gate = Gate(step, maxDropRatio = 0.01)
      val refused = intercept[GateException](Andiron.guard(gate)(run(spark, step, 40, keyed(step)).count()))
      assert(refused.getMessage.contains("4 x java.lang.IllegalStateException: 4 different messages, for example: no history of "), refused)
    }
  }

  test("errors of one function are one cause, whichever operator asks for the row") {
    withMetrics("local[2]") { spark =>
      val step = Step(spark, "history")
      Gate(step, maxDropRatio = 0.01)
      val rows = step.map(spark.range(0, 40, 1, 1))(id => if (id < 20) throw new IllegalStateException("no history") else id.longValue)(Encoders.scalaLong)
      withDirectory { directory =>
        val refused = causeOf[GateException](intercept[Exception](rows.write.parquet(directory.resolve("out").toString)))
        assert(refused.getMessage.endsWith("causes: 20 x java.lang.IllegalStateException: no history"), refused)
      }
    }
  }

  test("a key that cannot be made is none") {
    withMetrics("local[2]") { spark =>
      val step = Step(spark, "history")
      val gate = Gate(step, maxDropRatio = 0.01)
      val keyed = step.keyed[java.lang.Long](id => if (id % 20 == 7) null else sys.error("no key"))
      val refused = intercept[GateException](Andiron.guard(gate)(run(spark, step, 100, keyed).count()))
      assert(refused.getMessage.contains("10 x java.lang.IllegalStateException: 10 different messages"), refused)
      assert(step.failures.where("row_key is null").count() == 10)
    }
  }

  test("rows of one key are one sample, and a cause counts all of them") {
    withMetrics("local[2]") { spark =>
      val step = Step(spark, "history")
      val gate = Gate(step, maxDropRatio = 0.01)
      val refused = intercept[GateException](Andiron.guard(gate)(run(spark, step, 100, step.keyed[java.lang.Long](_ => "one")).count()))
      assert(refused.getMessage.contains("5 x java.lang.IllegalStateException: no history of"), refused)
    }
  }

  test("the report says which bound has cut the samples") {
    def failing(spark: SparkSession, name: String, partitions: Int): Step = {
      val step = Step(spark, name)
      step.map(spark.range(0, 200, 1, partitions))(id => if (id >= 0) throw new IllegalStateException(s"no history of member $id") else id.longValue).count()
      step
    }
    withMetrics("local[2]", "spark.andiron.onAllDropped" -> "warn", "spark.andiron.metrics.samples" -> "150") { spark =>
      failing(spark, "many", 4)
      val report = Andiron.report(spark)
      assert(report.contains("many: 150 of 200 failed rows sampled: spark.andiron.metrics.samples keeps no more"), report)
    }
    withMetrics("local[2]", "spark.andiron.onAllDropped" -> "warn") { spark =>
      val step = failing(spark, "one task", 1)
      val report = Andiron.report(spark)
      assert(report.matches("(?s).*one task: 1\\d\\d of 200 failed rows sampled: a task returns at most 64 KiB of samples.*"), report)
      assert(step.failures.count() > 100)
    }
  }

  test("rows of a task that look the same are one sample, which says how many they are") {
    withMetrics("local[2]", "spark.andiron.onAllDropped" -> "warn") { spark =>
      val step = Step(spark, "same")
      step.keyed[java.lang.Long](_ => "one").map(spark.range(0, 20, 1, 1))(id => if (id >= 0) sys.error("gone") else id.longValue).count()
      assert(step.failures.select("count").collect().map(_.getLong(0)).toSeq == Seq(20L))
    }
  }

  test("without metrics there is an error, and no empty answer") {
    withDirectory { directory =>
      withSpark("local[2]", settings(directory) :+ (AndironConf.MetricsEnabled.key -> "false"): _*) { spark =>
        val off = intercept[AndironException](Step(spark, "off").failures)
        assert(off.getMessage.contains("no failed rows, since metrics are off"))
      }
    }
  }
}
