package andiron.internal.metrics

import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.{Files, Paths}

import andiron.testing.MetricsSparks._
import andiron.testing.Sparks._
import andiron.internal.util.Json
import andiron.testing.SuiteRunner

import org.junit.runner.RunWith
import org.scalatest.funsuite.AnyFunSuite

/**
 * Programs of the model of gates on a real Spark: each verdict is one that the model's truth allows. `tests/model`
 * makes them (`gate-programs`); `ANDIRON_GATE_PROGRAMS` names another file of them than the fifty of the resources.
 */
@RunWith(classOf[SuiteRunner])
class GateProgramsSuite extends AnyFunSuite {
  private val programs = sys.env.get("ANDIRON_GATE_PROGRAMS") match {
    case Some(file) => new String(Files.readAllBytes(Paths.get(file)), UTF_8)
    case None       =>
      val in = getClass.getResourceAsStream("/gate-programs.json")
      try scala.io.Source.fromInputStream(in, "UTF-8").mkString
      finally in.close()
  }

  test("what a gate says of each write and guard of random programs is what the model's truth allows") {
    withDirectory { directory =>
      withSpark("local[2, 4]", settings(directory) ++ Seq("spark.sql.adaptive.enabled" -> "true"): _*) { spark =>
        spark.sparkContext.setCheckpointDir(directory.resolve("checkpoints").toString)
        spark.sparkContext.setLogLevel("OFF")
        GatePlan.context = spark.sparkContext
        var wrong = Vector.empty[String]
        val told = collection.mutable.TreeMap.empty[String, Int]
        val lines = programs.split('\n').filter(_.nonEmpty)
        lines.zipWithIndex.foreach { case (line, at) =>
          val program = Json.parse(line)
          spark.conf.set("spark.sql.adaptive.enabled", (!GateProgram.fillsEarly(program)).toString)
          val answers = new GateProgram(spark, program, directory.resolve(s"program-$at")).run()
          program.path("expected").forEach { expected =>
            val answer = answers((expected.path("action").asInt, expected.path("part").asInt))
            told(answer.take(7)) = told.getOrElse(answer.take(7), 0) + 1
            var allowed = Set.empty[String]
            expected.path("allowed").forEach(one => allowed += one.asText)
            // A write that no step is a part of is no gate's.
            if (!GateProgram.hasStep(program, expected.path("action").asInt, expected.path("part").asInt)) allowed = Set("passed")
            if (!allowed(answer)) wrong :+= s"program $at: $expected: $answer: $line"
          }
        }
        info(s"${lines.length} programs: ${told.map { case (answer, times) => s"$times $answer" }.mkString(", ")}")
        assert(told.getOrElse("passed", 0) > 0 && told.getOrElse("failed", 0) > 0)
        assert(wrong.isEmpty, wrong.mkString("\n", "\n", ""))
      }
    }
  }
}
