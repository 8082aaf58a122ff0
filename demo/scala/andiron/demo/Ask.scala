package andiron.demo

import java.io.File
import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.{Files, Paths}

import org.apache.spark.sql.SparkSession

/**
 * Asks a Hive database: `Ask questions=<folder> answers=<folder>`. Of every file `<name>.sql`, one statement, it makes a file `<name>.jsonl`: the names of
 * the columns with commas between, then the rows, a JSON object each. demo/stack_hive.py starts it.
 */
object Ask {
  def main(arguments: Array[String]): Unit = {
    val option = arguments.map(_.split("=", 2)).collect { case Array(key, value) => key -> value }.toMap
    val spark = SparkSession.builder().appName("andiron-demo ask").config("spark.sql.catalogImplementation", "hive").getOrCreate()
    try {
      for (file <- new File(option("questions")).listFiles.filter(_.getName.endsWith(".sql")).sortBy(_.getName)) {
        val answer = spark.sql(new String(Files.readAllBytes(file.toPath), UTF_8))
        val lines = answer.schema.fieldNames.mkString(",") +: answer.toJSON.collect().toSeq
        Files.write(Paths.get(option("answers"), file.getName.stripSuffix(".sql") + ".jsonl"), lines.map(_ + "\n").mkString.getBytes(UTF_8))
      }
    } finally spark.stop()
  }
}
