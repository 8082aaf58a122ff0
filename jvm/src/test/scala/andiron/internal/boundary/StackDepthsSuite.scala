package andiron.internal.boundary

import java.nio.file.{Files, Path, Paths}
import java.util.concurrent.TimeUnit

import andiron.testing.Sparks.withDirectory
import andiron.testing.SuiteRunner

import org.junit.runner.RunWith
import org.scalatest.funsuite.AnyFunSuite

/** On a nearly full stack every native returns its result or throws a StackOverflowError, and the process goes on. */
@RunWith(classOf[SuiteRunner])
class StackDepthsSuite extends AnyFunSuite {
  private val overflows = 1000
  private val own = Paths.get(System.getProperty("java.home"))

  /** The Java of this suite and the newest on this machine, if that is another. */
  private val javas: Seq[Path] = {
    val all = Option(Paths.get("/usr/lib/jvm").toFile.listFiles()).toSeq.flatten.map(_.toPath).filter(home => Files.isExecutable(home.resolve("bin/java")))
    (own +: all.sortBy(major).lastOption.toSeq).distinct.filter(home => home == own || major(home) > major(own))
  }

  private def major(home: Path): Int = {
    val release = home.resolve("release")
    val version = if (Files.exists(release)) "JAVA_VERSION=\"(\\d+)".r.findFirstMatchIn(Files.readString(release)).map(_.group(1).toInt) else None
    version.getOrElse(0)
  }

  private def run(java: Path, main: String, arguments: String*): Unit = {
    val classes = s"${sys.props("andiron.test.executorClassPath")}:${sys.env("SPARK_HOME")}/jars/*"
    val opens = Seq("java.lang", "java.lang.invoke", "java.io", "java.net", "java.nio", "java.util", "java.util.concurrent", "sun.nio.ch", "sun.security.action")
    val words = Seq(java.resolve("bin/java").toString, "-Xmx512m", "-XX:+UseSerialGC", "-XX:MaxJavaStackTraceDepth=8", s"-Djava.io.tmpdir=${System.getProperty("java.io.tmpdir")}") ++
      opens.map(name => s"--add-opens=java.base/$name=ALL-UNNAMED") ++ Seq("-cp", classes, main) ++ arguments
    val out = Paths.get(arguments.head, "out")
    val process = new ProcessBuilder(words: _*).redirectErrorStream(true).redirectOutput(out.toFile).start()
    val ended = process.waitFor(300, TimeUnit.SECONDS)
    if (!ended) process.destroyForcibly()
    val said = Files.readString(out)
    assert(ended && process.exitValue() == 0 && said.contains("\ndone\n"), s"${arguments.mkString(" ")} on $java: exit ${if (ended) process.exitValue() else "none"}\n$said")
  }

  // The natives know no Spark: those of the library are tried beside the default one.
  private val isDefault = sys.props("andiron.test.sparkVersion").startsWith("3.5.")

  for (java <- javas if isDefault; name <- "buffer" +: StackDepths.natives.map(_.getName))
    test(s"$name at every depth, Java ${major(java)}") {
      withDirectory { directory =>
        run(java, "andiron.internal.boundary.StackDepths", directory.toString, overflows.toString, name)
      }
    }

  test("after overflows in lease, cursor and acquireAll no attempt is left") {
    withDirectory { directory =>
      run(own, "andiron.internal.boundary.LeaseDepths", directory.toString, overflows.toString)
    }
  }
}
