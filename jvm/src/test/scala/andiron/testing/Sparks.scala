package andiron.testing

import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.{Files, Path}

import org.apache.spark.sql.SparkSession

import andiron.{Andiron, Bytes, ExecutorCacheStats}

/** Spark applications and source files for suites. */
object Sparks {

  /** Runs `body` with a fresh application and stops it. Settings of `conf` go over those for all tests. */
  def withSpark[A](master: String, conf: (String, String)*)(body: SparkSession => A): A = {
    val spark = start(master, conf: _*)
    try body(spark)
    finally stop(spark)
  }

  def start(master: String, conf: (String, String)*): SparkSession = {
    val builder = SparkSession.builder().master(master).appName("andiron-test")
    val all = defaults ++ (if (master.startsWith("local-cluster")) cluster else Map.empty[String, String]) ++ conf
    all.foreach { case (key, value) => builder.config(key, value) }
    builder.getOrCreate()
  }

  def stop(spark: SparkSession): Unit = {
    spark.stop()
    SparkSession.clearActiveSession()
    SparkSession.clearDefaultSession()
  }

  private val defaults = Map(
    "spark.ui.enabled" -> "false",
    "spark.sql.shuffle.partitions" -> "4",
    "spark.driver.bindAddress" -> "127.0.0.1",
    "spark.driver.host" -> "127.0.0.1",
    "spark.andiron.cache.reportInterval" -> "200ms")

  private def cluster = Map(
    "spark.executor.extraClassPath" -> sys.props("andiron.test.executorClassPath"),
    "spark.executor.extraJavaOptions" -> "-XX:+UseSerialGC",
    "spark.plugins" -> "andiron.AndironPlugin")

  /** A directory of its own for `body`. */
  def withDirectory[A](body: Path => A): A = {
    val directory = Files.createTempDirectory("andiron-test")
    try body(directory)
    finally delete(directory)
  }

  def delete(path: Path): Unit = {
    if (Files.isDirectory(path)) {
      val children = Files.newDirectoryStream(path)
      try children.forEach(child => delete(child))
      finally children.close()
    }
    Files.deleteIfExists(path)
    ()
  }

  /** A file with `text`, as a URI. */
  def source(directory: Path, name: String, text: String): String = source(directory, name, text.getBytes("UTF-8"))

  def source(directory: Path, name: String, bytes: Array[Byte]): String = Files.write(directory.resolve(name), bytes).toUri.toString

  /** The whole of `bytes` as text. */
  def text(bytes: Bytes): String = new String(bytes.toArray(0, bytes.size.toInt), UTF_8)

  /** The figures of the driver's process. */
  def stats(spark: SparkSession): ExecutorCacheStats =
    Andiron.cacheStats(spark).find(_.executor == "driver").getOrElse(ExecutorCacheStats("driver", Map.empty, isFinal = true))

  /** Waits until `condition` holds, and fails with `what` after `seconds`. */
  def eventually(what: => String, seconds: Int = 20)(condition: => Boolean): Unit = {
    val end = System.nanoTime() + seconds * 1000000000L
    while (!condition) {
      if (System.nanoTime() > end) throw new AssertionError(s"not so after $seconds s: $what")
      Thread.sleep(10)
    }
  }

  /** The first exception of class `E` in the chain of causes. */
  def causeOf[E <: Throwable](error: Throwable)(implicit tag: scala.reflect.ClassTag[E]): E =
    Iterator.iterate(error)(_.getCause).takeWhile(_ != null).collectFirst { case e: E => e }.getOrElse(
      throw new AssertionError(s"no ${tag.runtimeClass.getName} among the causes of $error", error))
}
