package andiron.crashes

import org.junit.runner.RunWith
import org.scalatest.funsuite.AnyFunSuite

import andiron.testing.SuiteRunner

@RunWith(classOf[SuiteRunner])
class CrashDocumentSuite extends AnyFunSuite {
  test("docs/evidence/crashes.md is what its data says") {
    assert(CrashDocument.written == Crashes.markdown(CrashDocument.data), "write it again with the main class andiron.crashes.CrashDocument")
  }

  test("in the data nothing acknowledged is lost, and nothing is twice") {
    var kills = Map.empty[String, Int].withDefaultValue(0)
    CrashDocument.data.path("points").forEach { point =>
      val layer = point.path("layer").asText()
      kills += layer -> (kills(layer) + 1)
      assert(point.path("lost").asInt() == 0 && point.path("duplicates").asInt() == 0 && point.path("complaints").size() == 0, point)
    }
    CrashDocument.data.path("layers").forEach { layer => assert(layer.path("complaints").size() == 0, layer): Unit }
    assert(kills.keySet == Set("files", "lossy") && kills.values.forall(_ >= 50), kills)
  }
}
