package andiron.chaos

import org.junit.runner.RunWith
import org.scalatest.funsuite.AnyFunSuite

import andiron.testing.SuiteRunner

@RunWith(classOf[SuiteRunner])
class ChaosDocumentSuite extends AnyFunSuite {
  test("docs/evidence/chaos.md is what its data says") {
    assert(ChaosDocument.written == Chaos.markdown(ChaosDocument.data), "write it again with the main class andiron.chaos.ChaosDocument")
  }

  test("in the data no figure is wrong in silence, and no gate has passed wrongly") {
    ChaosDocument.data.path("seeds").forEach { seed =>
      Seq("named_wrong", "steps_wrong", "passed_wrongly", "refused_wrongly").foreach(name => assert(seed.path(name).asInt(-1) == 0, seed))
      assert(seed.path("complaints").size() == 0, seed)
      assert(seed.path("stages").asInt() >= ChaosRun.Stages && seed.path("named").asInt() >= ChaosRun.Named && seed.path("steps").asInt() == ChaosRun.Steps, seed)
      Seq("executors_killed", "tasks_failed", "fetch_failures", "later_attempts", "writes").foreach(fault => assert(seed.path(fault).asInt() > 0, (fault, seed)))
    }
  }
}
