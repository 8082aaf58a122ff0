package andiron.internal.metrics

import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.Paths

import andiron.testing.Sparks._
import andiron.AndironConf
import andiron.testing.{Submitted, SuiteRunner}

import org.junit.runner.RunWith
import org.scalatest.funsuite.AnyFunSuite

/** The report of an application whose program ends the process. */
@RunWith(classOf[SuiteRunner])
class ExitSuite extends AnyFunSuite {
  test("System.exit(3): the log is closed, and its application has ended; the jar's report is UTF-8 where the locale is C") {
    withDirectory { directory =>
      val ran = Submitted.start(directory, "andiron.internal.metrics.HarmJob", Seq("exit", "3"), conf = Seq(AndironConf.LogDirectory.key -> directory.resolve("log").toString))
      assert(ran.await() == 3, ran.log)
      val id = ran.awaitLine("@ready ")
      val logs = directory.resolve("log").toString
      val apps = Submitted.andiron(Map.empty, "apps", "--json", "--log-dir", logs)
      assert(apps.contains("\"state\":\"ended\"") && apps.contains(id), apps)
      assert(Submitted.andiron(Map.empty, "apps", "--log-dir", logs).contains("  ended, "))
      val words = Seq(Paths.get(sys.props("java.home"), "bin", "java").toString, "-cp", sys.props("java.class.path"), "andiron.Report", "report", id, "--log-dir", logs)
      val builder = new ProcessBuilder(words: _*)
      Seq("LC_ALL", "LANG").foreach(builder.environment().put(_, "C"))
      val process = builder.redirectError(directory.resolve("report.err").toFile).start()
      val said = new String(process.getInputStream.readAllBytes(), UTF_8)
      assert(process.waitFor() == 0 && said.contains("Größe ≥ 3") && said.contains(" · ") && !said.contains("?"), said)
    }
  }
}
