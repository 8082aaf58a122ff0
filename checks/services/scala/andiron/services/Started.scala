package andiron.services

import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.{Files, Path}
import java.util.concurrent.TimeUnit

import andiron.harness.Waiting

/** A started process, in the folder of the file `out`, to which its output is appended. */
final class Started(command: Seq[String], out: Path) {
  private val process = new ProcessBuilder(command: _*).directory(out.getParent.toFile).redirectErrorStream(true)
    .redirectOutput(ProcessBuilder.Redirect.appendTo(out.toFile)).start()

  def text: String = new String(Files.readAllBytes(out), UTF_8)

  /** Waits until `condition` holds; fails if it does not within `seconds`, or if the process ends before. */
  def await(what: String, seconds: Int)(condition: => Boolean): Unit = {
    Waiting.holds(seconds, 100)(condition || !process.isAlive): Unit
    Check.require(condition, s"no $what; the output:\n${text.takeRight(4000)}")
  }

  /** Waits until the process has printed `what`. */
  def await(what: String): Unit = await(s"'$what'", 300)(text.contains(what))

  /** Sends the signal STOP or CONT. */
  def signal(name: String): Unit = Check.require(new ProcessBuilder("kill", s"-$name", process.pid.toString).start().waitFor() == 0, s"no $name")

  def kill(): Unit = {
    process.destroyForcibly()
    Check.require(process.waitFor(60, TimeUnit.SECONDS), s"process ${process.pid} does not end")
  }

  /** The exit status and the output, after the end. */
  def ended(): (Int, String) = {
    if (!process.waitFor(400, TimeUnit.SECONDS)) {
      kill()
      throw new IllegalStateException(s"it did not end:\n${text.takeRight(4000)}")
    }
    (process.exitValue, text)
  }
}
