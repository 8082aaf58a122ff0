package andiron.testing

import java.nio.charset.StandardCharsets.ISO_8859_1
import java.nio.file.{Files, Path}

import org.apache.spark.sql.SparkSession

import andiron.AndironConf

/** Applications with metrics, for suites. */
object MetricsSparks {

  /** Runs `body` in an application whose log is in a directory of its own. */
  def withMetrics[A](master: String, conf: (String, String)*)(body: SparkSession => A): A = Sparks.withDirectory { directory =>
    Sparks.withSpark(master, settings(directory) ++ conf: _*)(body)
  }

  def settings(directory: Path): Seq[(String, String)] =
    Seq("spark.plugins" -> "andiron.AndironPlugin", AndironConf.LogDirectory.key -> directory.resolve("log").toString)

  /** The events of the log under the directory that `settings` name, read from its files. */
  def logged(directory: Path): String =
    files(directory.resolve("log")).map(file => new String(Files.readAllBytes(directory.resolve("log").resolve(file)), ISO_8859_1)).mkString

  /** All data files under a directory, and `_SUCCESS` if it is there. */
  def files(directory: Path): Seq[String] =
    if (!Files.exists(directory)) Nil
    else {
      var found = Vector.empty[String]
      val all = Files.walk(directory)
      try all.forEach { file =>
        val name = file.getFileName.toString
        if (Files.isRegularFile(file) && !name.endsWith(".crc")) found :+= directory.relativize(file).toString
      }
      finally all.close()
      found.sorted
    }
}
