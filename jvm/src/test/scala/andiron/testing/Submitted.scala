package andiron.testing

import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.{Files, Path, Paths}
import java.util.concurrent.TimeUnit

/** A program of the test classes that a real spark-submit runs in a process of its own, in `directory`. */
final class Submitted(directory: Path, process: Process) {
  private val out = directory.resolve("out")

  /** The lines that it has printed, but a last one that is cut. */
  def lines: Seq[String] = Submitted.whole(Submitted.text(out))

  /** Its log and its standard error. */
  def log: String = Submitted.text(directory.resolve("spark.log")) + Submitted.text(directory.resolve("err"))

  /** The rest of the first line that begins so, once it is there. */
  def awaitLine(start: String, seconds: Int = 600): String = {
    val end = System.nanoTime() + seconds * 1000000000L
    var found = line(start)
    while (found.isEmpty && process.isAlive && System.nanoTime() < end) {
      Thread.sleep(10)
      found = line(start)
    }
    found.orElse(line(start)).getOrElse {
      val status = if (process.isAlive) "none" else process.exitValue().toString
      kill()
      throw new AssertionError(s"no line '$start': exit $status\n$log")
    }
  }

  private def line(start: String): Option[String] = lines.find(_.startsWith(start)).map(_.drop(start.length))

  /** Its exit status. */
  def await(seconds: Int = 600): Int = {
    if (!process.waitFor(seconds.toLong, TimeUnit.SECONDS)) {
      process.destroyForcibly()
      throw new AssertionError(s"it runs longer than $seconds s\n$log")
    }
    process.exitValue()
  }

  def isAlive: Boolean = process.isAlive

  /** SIGKILL, and its end. */
  def kill(): Unit = {
    process.destroyForcibly()
    process.waitFor()
    ()
  }

  /** SIGTERM. */
  def terminate(): Unit = process.destroy()
}

object Submitted {

  /** Starts `main`. `wrapped`: a command that is given spark-submit's command line. */
  def start(
      directory: Path,
      main: String,
      arguments: Seq[String] = Nil,
      conf: Seq[(String, String)] = Nil,
      environment: Map[String, String] = Map.empty,
      javaOptions: String = "",
      wrapped: Seq[String] = Nil): Submitted = {
    Files.createDirectories(directory)
    Seq("out", "err", "spark.log").foreach(name => Files.deleteIfExists(directory.resolve(name)))
    val settings = Seq(
      "spark.master" -> "local[2]", "spark.plugins" -> "andiron.AndironPlugin", "spark.ui.enabled" -> "false",
      "spark.driver.host" -> "127.0.0.1", "spark.driver.bindAddress" -> "127.0.0.1", "spark.driver.memory" -> "512m",
      "spark.sql.shuffle.partitions" -> "2", "spark.local.dir" -> directory.resolve("local").toString,
      "spark.sql.warehouse.dir" -> directory.resolve("warehouse").toString,
      "spark.driver.extraClassPath" -> sys.props("andiron.test.executorClassPath"),
      "spark.driver.extraJavaOptions" -> s"-XX:+UseSerialGC -XX:TieredStopAtLevel=1 $javaOptions") ++ conf
    val submit = Paths.get(sys.env("SPARK_HOME"), "bin", "spark-submit").toString
    val words = wrapped ++ Seq(submit) ++ settings.flatMap { case (key, value) => Seq("--conf", s"$key=$value") } ++
      Seq("--class", main, "spark-internal") ++ arguments
    val builder = new ProcessBuilder(words: _*).directory(directory.toFile)
    builder.redirectOutput(directory.resolve("out").toFile).redirectError(directory.resolve("err").toFile)
    environment.foreach { case (key, value) => builder.environment().put(key, value) }
    val process = builder.start()
    // A test that fails leaves nothing that runs.
    Runtime.getRuntime.addShutdownHook(new Thread(() => process.destroyForcibly(): Unit))
    new Submitted(directory, process)
  }

  /** The environment of a process that uses the library with test hooks. */
  def hooks: Map[String, String] = Map("ANDIRON_NATIVE_PATH" -> sys.props("andiron.test.hooksLibrary"))

  /** Runs the command `andiron` with test hooks; returns its output. */
  def andiron(environment: Map[String, String], arguments: String*): String = {
    val command = Paths.get(sys.props("andiron.test.hooksLibrary")).resolveSibling("andiron").toString
    val builder = new ProcessBuilder((command +: arguments): _*).redirectErrorStream(true)
    environment.foreach { case (key, value) => builder.environment().put(key, value) }
    val process = builder.start()
    val said = new String(process.getInputStream.readAllBytes(), UTF_8)
    if (process.waitFor() != 0) throw new AssertionError(s"andiron ${arguments.mkString(" ")}: $said")
    said
  }

  def text(file: Path): String = if (Files.exists(file)) new String(Files.readAllBytes(file), UTF_8) else ""

  /** The lines of a text but a last one that is cut. */
  def whole(text: String): Seq[String] = text.take(text.lastIndexOf('\n') + 1).split('\n').toSeq.filter(_.nonEmpty)
}
