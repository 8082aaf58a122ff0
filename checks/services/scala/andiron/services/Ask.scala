package andiron.services

import java.io.File
import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.{Files, Paths}

import org.apache.spark.sql.SparkSession

/**
 * Queries a Hive database: `Ask <questions> <answers>`, two folders. For each file `<name>.sql` with one statement it writes a folder `<name>` with the rows as
 * JSON objects, and a file `<name>.columns` with the comma-separated column names. checks/services/hive.py starts it.
 */
object Ask {
  def main(arguments: Array[String]): Unit = {
    val (questions, answers) = (arguments(0), arguments(1))
    val spark = SparkSession.builder().appName("ask").enableHiveSupport().getOrCreate()
    try {
      for (file <- new File(questions).listFiles.filter(_.getName.endsWith(".sql")).sortBy(_.getName)) {
        val (name, answer) = (file.getName.stripSuffix(".sql"), spark.sql(new String(Files.readAllBytes(file.toPath), UTF_8)))
        answer.write.json(Paths.get(answers, name).toUri.toString)
        Files.write(Paths.get(answers, s"$name.columns"), answer.schema.fieldNames.mkString(",").getBytes(UTF_8))
      }
    } finally spark.stop()
  }
}
