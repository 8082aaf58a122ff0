package andiron.internal.metrics

import java.nio.file.{Files, Path}

import andiron._
import andiron.testing.MetricsSparks._
import andiron.testing.Sparks._
import andiron.testing.{Logged, SuiteRunner}

import org.apache.spark.andironshim.Streams
import org.apache.spark.sql.{Dataset, Encoder, Encoders, SparkSession}
import org.apache.spark.sql.functions.broadcast
import org.apache.spark.sql.streaming.StreamingQuery
import org.junit.runner.RunWith
import org.scalatest.BeforeAndAfterAll
import org.scalatest.funsuite.AnyFunSuite

/** Writes that no gate judges are logged: rule R7 of docs/internals/gates.md. */
@RunWith(classOf[SuiteRunner])
class GateUnguardedSuite extends AnyFunSuite with BeforeAndAfterAll {
  private var spark: SparkSession = _
  private val directory = Files.createTempDirectory("gate-told")
  private implicit val longs: Encoder[Long] = Encoders.scalaLong

  /** A catalog whose tables are written by a command of DSv2 that falls back to V1. */
  private val database = Seq("" -> "org.apache.spark.sql.execution.datasources.v2.jdbc.JDBCTableCatalog", ".url" -> "jdbc:derby:memory:told;create=true",
    ".driver" -> "org.apache.derby.jdbc.EmbeddedDriver").map { case (key, value) => s"spark.sql.catalog.derby$key" -> value }

  private def begin(): Unit = spark = start("local[4]", settings(directory) ++ database: _*)

  override def beforeAll(): Unit = begin()

  override def afterAll(): Unit = {
    stop(spark)
    delete(directory)
  }

  private def to(name: String): Path = directory.resolve(name)

  /** 1,000 rows, of which 510 are dropped. */
  private def rows(step: Step): Dataset[Long] =
    step.map(spark.range(0, 1000, 1, 4))(n => if (n < 510) sys.error("no history") else n.longValue)

  private def rdd(step: Step) = step.map(spark.sparkContext.range(0, 1000, 1, 4))(n => if (n < 510) sys.error("no history") else n)

  private def gated(name: String)(body: (Step, Gate) => Unit): Unit = test(name) {
    val step = Step(spark, name)
    val gate = Gate(step)
    try body(step, gate)
    finally step.close()
  }

  /** The warnings about the step during `body`. */
  private def told(step: Step)(body: => Unit): Seq[String] = {
    val (lines, _) = Logged.during("andiron.Gate") {
      body
      Andiron.report(spark): Unit
    }
    lines.filter(_.contains(s"gate of step '${step.name}' did not judge this"))
  }

  for ((action, run) <- Seq[(String, (Step, Path) => Any)](
      "saveAsTextFile" -> ((step, path) => rdd(step).saveAsTextFile(path.toString)),
      "saveAsObjectFile" -> ((step, path) => rdd(step).saveAsObjectFile(path.toString)),
      "foreachPartition" -> ((step, _) => rdd(step).foreachPartition(_.foreach(_ => ()))),
      "foreach" -> ((step, _) => rdd(step).foreach(_ => ())),
      "a Dataset's foreachPartition" -> ((step, _) => rows(step).foreachPartition((all: Iterator[Long]) => all.foreach(_ => ()))),
      "a write of DSv2" -> ((step, _) => rows(step).write.format("noop").mode("overwrite").save()),
      "a write by JDBC" -> ((step, _) => rows(step).write.mode("overwrite").jdbc("jdbc:derby:memory:told;create=true", "published", new java.util.Properties)),
      "an append to a table of a catalog" -> { (step, _) =>
        spark.sql("CREATE TABLE derby.APP.appended (value BIGINT)")
        rows(step).writeTo("derby.APP.appended").append()
      },
      "foreachPartition under a call site of the user's" -> { (step, _) =>
        spark.sparkContext.setCallSite("nightly")
        try rdd(step).foreachPartition(_.foreach(_ => ()))
        finally spark.sparkContext.clearCallSite()
      }))
    gated(s"$action is told") { (step, _) =>
      val lines = told(step)(run(step, to(action.replace(' ', '-'))))
      assert(lines.size == 1 && lines.head.contains("510 of 1000 rows dropped; wrap the action in Andiron.guard"), lines)
    }

  for ((action, run) <- Seq[(String, Step => Any)](
      "collect" -> (rdd(_).collect()), "count" -> (rdd(_).count()), "reduce" -> (rdd(_).reduce(_ + _)), "take" -> (rdd(_).take(3)),
      "a Dataset's collect" -> (rows(_).collect()), "a Dataset's count" -> (rows(_).count()), "show" -> (rows(_).show()),
      "toLocalIterator" -> (rows(_).toLocalIterator().hasNext), "a Dataset's reduce" -> (rows(_).reduce(_ + _)),
      "cache" -> (step => rdd(step).cache().count()),
      "count under a call site of the user's" -> { step =>
        spark.sparkContext.setCallSite("foreach at home")
        try rdd(step).count()
        finally spark.sparkContext.clearCallSite()
      }))
    gated(s"$action is not told") { (step, _) => assert(told(step)(run(step): Unit) == Nil) }

  /** Calls a method with texts. Spark 4 has the same ones with other result types. */
  private def byName(of: AnyRef, call: Seq[String]): AnyRef =
    of.getClass.getMethod(call.head, call.tail.map(_ => classOf[String]): _*).invoke(of, call.tail: _*)

  for (sink <- Seq("parquet", "memory"))
    gated(s"a stream's sink is told, $sink") { (step, _) =>
      val input = Streams.memory(spark)
      input.add(0L until 1000L)
      val lines = told(step) {
        val joined = input.frame.toDF("value").join(broadcast(rows(step).toDF("value")), "value")
        val options = Seq(Seq("format", sink), Seq("queryName", s"told_$sink"), Seq("option", "checkpointLocation", to(s"told-$sink-log").toString),
          Seq("option", "path", to(s"told-$sink").toString), Seq("start"))
        val query = options.foldLeft[AnyRef](joined.writeStream)((writer, call) => byName(writer, call)).asInstanceOf[StreamingQuery]
        try query.processAllAvailable()
        finally query.stop()
      }
      assert(lines.size == 1 && lines.head.contains(if (sink == "parquet") "the sink of a streaming query" else "WriteToDataSourceV2"), lines)
    }

  test("a write is told of a step that is closed right after it") {
    for (n <- 1 to 4) {
      val step = Step(spark, s"closed at once $n")
      Gate(step)
      assert(told(step) {
        rows(step).write.format("noop").mode("overwrite").save()
        step.close()
      }.size == 1)
    }
  }

  gated("under a guard nothing is told") { (step, gate) =>
    assert(told(step)(intercept[GateException](Andiron.guard(gate)(rdd(step).saveAsTextFile(to("guarded").toString))): Unit) == Nil)
  }

  gated("a write that its commit judges is not told") { (step, _) =>
    assert(told(step)(intercept[Exception](rows(step).write.parquet(to("judged").toString)): Unit) == Nil)
    val good = Step(spark, "good")
    Gate(good)
    assert(told(good)(good.map(spark.range(100))(_.longValue).write.parquet(to("judged-good").toString)) == Nil)
    good.close()
  }

  test("with fail what no gate judges is refused, and the report says what was never asked") {
    stop(spark)
    try withDirectory { log =>
      val (lines, _) = Logged.during("andiron.Gate") {
        withSpark("local[2]", settings(log) :+ (AndironConf.GateUnguarded.key -> "fail"): _*) { strict =>
          val step = Step(strict, "strict")
          val gate = Gate(step, maxDropRatio = 1)
          val slow = step.map(strict.sparkContext.range(0, 4, 1, 4)) { n => Thread.sleep(2000); n }
          def said(body: => Unit): String = causes(intercept[Exception](body))
          assert(said(slow.foreachPartition(_.foreach(_ => ()))).contains("wrap the action in Andiron.guard"))
          val rows = step.map(strict.range(4))(_.longValue)
          assert(said(rows.write.format("noop").mode("overwrite").save()).contains("spark.andiron.gate.unguarded is fail"))
          assert(Andiron.report(strict).contains("never asked"))
          for (format <- Seq("parquet", "orc", "json", "csv")) rows.write.format(format).partitionBy().save(log.resolve(format).toString)
          rows.write.saveAsTable("strict")
          rows.write.mode("overwrite").insertInto("strict")
          strict.sql("DROP TABLE strict")
          Andiron.guard(gate)(rows.write.format("noop").mode("overwrite").save())
          Step(strict, "idle").counter("n"): Unit
          Gate(Step(strict, "idle")): Unit
        }
      }
      assert(lines.count(_.contains("the gate of step 'idle' was never asked")) == 1, lines)
      assert(logged(log).contains("\"last_bypass\"") == false && logged(log).contains("\"gate_id\""))
    } finally begin()
  }

  private def causes(error: Throwable): String =
    Iterator.iterate(error)(_.getCause).takeWhile(_ != null).map(e => String.valueOf(e.getMessage)).mkString("\n")

  test("where metrics are off a gate cannot be made, unless it may") {
    stop(spark)
    try {
      withSpark("local[1]", "spark.plugins" -> "andiron.AndironPlugin", AndironConf.MetricsEnabled.key -> "false") { off =>
        val failure = intercept[GateException](Gate(Step(off, "off")))
        assert(failure.getMessage.contains("spark.andiron.metrics.enabled is false") && failure.getMessage.contains("spark.andiron.gate.whenOff=warn"))
      }
      withSpark("local[1]", "spark.plugins" -> "andiron.AndironPlugin", AndironConf.MetricsEnabled.key -> "false", AndironConf.GateWhenOff.key -> "warn") { off =>
        val gate = Gate(Step(off, "off"))
        assert(intercept[GateException](Andiron.guard(gate)(())).code == 201)
      }
    } finally begin()
  }

  /** A scenario for each row of docs/guide/steps-and-gates.md's table. */
  private def layers: Map[String, (Step, Gate, String) => Boolean] = {
    def failsWith(text: String)(body: => Any): Boolean = causes(intercept[Exception](body: Unit)).contains(text)
    Map(
      "commit" -> ((step, _, out) => failsWith("510 of 1000")(rows(step).write.parquet(out)) && files(to("layer-commit")) == Nil),
      "guard" -> ((step, gate, _) => failsWith("510 of 1000")(Andiron.guard(gate)(rdd(step).collect()))),
      "early" -> { (step, _, _) =>
        Gate(step, maxDropRatio = 1, maxDropped = 10): Unit
        val slow = step.map(spark.sparkContext.range(0, 400, 1, 40))(n => if (n < 200) sys.error("early") else { Thread.sleep(500); n })
        failsWith("rows were dropped, more than 10")(slow.count())
      },
      "all dropped" -> { (_, _, _) =>
        val ungated = Step(spark, "ungated")
        val fails = failsWith("every one of the 10 rows")(ungated.map(spark.sparkContext.range(0, 10, 1, 2))(n => s"n$n".toLong).count())
        ungated.close()
        fails
      },
      "told" -> ((step, _, _) => told(step)(rdd(step).foreachPartition(_.foreach(_ => ()))).nonEmpty))
  }

  test("the table of docs/guide/steps-and-gates.md has the layers that there are, and each does what its row says") {
    val text = new String(Files.readAllBytes(Outcomes.project.resolve("docs/guide/steps-and-gates.md")), java.nio.charset.StandardCharsets.UTF_8)
    val table = text.substring(text.indexOf("## What each layer covers")).split("\n## ").head
    val named = table.split('\n').iterator.filter(_.startsWith("| ")).map(_.split('|')(1).trim).drop(1).toSeq
    assert(named.toSet == layers.keySet && named.size == layers.size, named)
    layers.foreach { case (layer, holds) =>
      val step = Step(spark, s"layer $layer")
      assert(holds(step, Gate(step), to(s"layer-$layer").toString), layer)
      step.close()
    }
  }
}
