package andiron.internal.metrics

import java.io.File
import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.Files
import java.sql.Timestamp

import com.fasterxml.jackson.databind.JsonNode
import org.apache.spark.sql.{DataFrame, Row, SparkSession}
import org.apache.spark.sql.types._

import andiron.{AndironException, ErrorCode}
import andiron.internal.boundary.NativeMetrics
import andiron.internal.util.Json

/** Failed rows as a DataFrame. Names and types of the columns equal those of the Hive tables, except for the time. */
private[andiron] object FailureFrame {

  /** In place of a step's number: all steps. */
  val AllSteps = 0L

  private val Time = "time"

  val schema: StructType = StructType(
    Seq("app_id", "app_attempt", "run_id", "step", "site", "error_class", "message", "stack", "stack_hash", "group", "row_key", "key_hash", "record")
      .map(StructField(_, StringType)) ++
      Seq(StructField("record_cut", BooleanType), StructField("version", StringType)) ++
      Seq("stage", "stage_attempt", "partition", "task_attempt").map(StructField(_, LongType)) ++
      Seq("executor", "host").map(StructField(_, StringType)) ++
      Seq(StructField("committed", BooleanType), StructField("count", LongType), StructField(Time, TimestampType)))

  /** The failed rows of the running application, from the driver's memory. */
  def of(spark: SparkSession, application: Option[MetricsApplication], step: Long): DataFrame = {
    val metrics = application.getOrElse(
      throw AndironException.of(ErrorCode.NotConfigured, s"there are no failed rows, since metrics are off: ${MetricsApplication.whyOff}", null))
    val rows = new java.util.ArrayList[Row]
    Json.parse(NativeMetrics.failures(metrics.handle, step)).forEach(body => rows.add(row(body)): Unit)
    spark.createDataFrame(rows, schema)
  }

  /** The failed rows in logs; for logs still being written, the durable part. */
  def ofLogs(spark: SparkSession, directory: String, application: Option[String]): DataFrame = {
    val file = File.createTempFile("andiron-failures", ".json")
    try {
      val done = ReportCommand.run(Seq("failures") ++ application ++ Seq("--log-dir", directory, "--out", file.getPath), spark.sparkContext.hadoopConfiguration)
      if (done.status != 0) throw AndironException.of(ErrorCode.BadArgument, done.err.trim, null)
      val rows = new java.util.ArrayList[Row]
      val lines = Files.newBufferedReader(file.toPath, UTF_8)
      try Iterator.continually(lines.readLine()).takeWhile(_ != null).foreach(line => rows.add(row(Json.parse(line))))
      finally lines.close()
      spark.createDataFrame(rows, schema)
    } finally file.delete(): Unit
  }

  private def row(body: JsonNode): Row = Row.fromSeq(schema.fields.toSeq.map { field =>
    val value = body.get(if (field.name == Time) "ts_ms" else field.name)
    if (value == null || value.isNull) null
    else field.dataType match {
      case LongType      => value.longValue
      case BooleanType   => value.booleanValue
      case TimestampType => new Timestamp(value.longValue)
      case _             => value.asText
    }
  })
}
