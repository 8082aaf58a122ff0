package andiron.internal.metrics

import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.{Files, Path}

import org.junit.runner.RunWith
import org.scalatest.funsuite.AnyFunSuite

import andiron.testing.SuiteRunner

/** Writes docs/internals/exactness.md from docs/data/exactness.json. */
object ExactnessDocument {
  private val file: Path = Outcomes.project.resolve("docs/internals/exactness.md")

  def generated: String = Outcome.markdown(Outcome.parse(new String(Files.readAllBytes(Outcomes.project.resolve("docs/data/exactness.json")), UTF_8)))

  def written: String = new String(Files.readAllBytes(file), UTF_8)

  def main(arguments: Array[String]): Unit = {
    Files.write(file, generated.getBytes(UTF_8))
    ()
  }
}

@RunWith(classOf[SuiteRunner])
class ExactnessDocumentSuite extends AnyFunSuite {
  test("docs/internals/exactness.md is what its data says") {
    assert(ExactnessDocument.written == ExactnessDocument.generated, "write it again with the main class andiron.internal.metrics.ExactnessDocument")
  }

  test("in the data no figure is wrong in silence") {
    var scenarios = 0
    Outcome.parse(new String(Files.readAllBytes(Outcomes.project.resolve("docs/data/exactness.json")), UTF_8)).path("scenarios").forEach { s =>
      scenarios += 1
      val (truth, calls, step, foreign) = (s.path("truth").asLong(), s.path("calls").asLong(), s.path("step_committed"), s.path("foreign_committed"))
      assert(s.path("provoked").asText().nonEmpty, s)
      assert(!s.path("exact").asBoolean() || step.asLong() == truth, s)
      assert(s.path("exact").asBoolean() || !s.path("whole").asBoolean() && s.path("reason").asText().nonEmpty, s)
      assert(!s.path("foreign_exact").asBoolean() || foreign.asLong() == calls, s)
      assert(s.path("foreign_exact").asBoolean() || s.path("foreign_reason").asText().nonEmpty, s)
    }
    assert(scenarios >= 45)
  }
}
