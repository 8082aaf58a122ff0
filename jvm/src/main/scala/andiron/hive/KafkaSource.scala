package andiron.hive

import java.io.FileInputStream
import java.util.Properties

import org.apache.spark.rdd.RDD
import org.apache.spark.sql.{AnalysisException, DataFrame, Dataset, Row, SparkSession}
import org.apache.spark.sql.functions.{col, expr}
import org.apache.spark.sql.streaming.Trigger

import andiron.{ErrorCode, SettingException}

/**
 * Kafka topics as a stream of batches. The checkpoint contains the position: a new run with the same checkpoint
 * continues there.
 */
private[hive] object KafkaSource {
  private val Query = "andiron-ingest"

  /** Passes the topics' records to `batch`: those present at the start or, with `follow`, without end. */
  def run(spark: SparkSession, options: Options)(batch: (Long, RDD[Record]) => Unit): Unit = {
    // The writer's own option for this is a different call in Spark 3.5 and in 4.
    spark.conf.set("spark.sql.streaming.checkpointLocation", options.checkpoint)
    val trigger = if (options.follow) Trigger.ProcessingTime(options.triggerMillis) else Trigger.AvailableNow()
    val each: (Dataset[Row], Long) => Unit = (frame, number) => batch(number, frame.rdd.map(record))
    val query = frame(spark, options).writeStream.queryName(Query).trigger(trigger).foreachBatch(each).start()
    query.awaitTermination()
  }

  private def frame(spark: SparkSession, options: Options): DataFrame = {
    val reader = spark.readStream.format("kafka")
      .option("kafka.bootstrap.servers", options.bootstrapServers)
      .option("subscribe", options.topics)
      .option("startingOffsets", "earliest")
      .option("maxOffsetsPerTrigger", options.maxRecords.toString)
      .options(properties(options.kafkaProperties))
    val loaded =
      try reader.load()
      catch {
        case e: AnalysisException if e.getMessage.contains("kafka") =>
          throw new SettingException(ErrorCode.BadSetting, "this Spark cannot read Kafka: add its package to spark-submit, --packages " +
            s"org.apache.spark:spark-sql-kafka-0-10_${scala.util.Properties.versionNumberString.split('.').take(2).mkString(".")}:${spark.version}", e)
      }
    loaded.select(col("topic"), col("partition"), col("offset"), expr("unix_millis(timestamp)"), col("key"), col("value"))
  }

  private def record(row: Row): Record = {
    val bytes = (at: Int) => if (row.isNullAt(at)) null else row.getAs[Array[Byte]](at)
    Record(row.getString(0), row.getInt(1), row.getLong(2), if (row.isNullAt(3)) -1 else row.getLong(3), bytes(4), bytes(5))
  }

  /** Settings of Kafka's consumer with its prefix added; those of Spark's source keep their names. */
  private def properties(file: Option[String]): Map[String, String] = file.fold(Map.empty[String, String]) { name =>
    val read = new Properties
    try {
      val in = new FileInputStream(name)
      try read.load(in)
      finally in.close()
    } catch {
      case e @ (_: java.io.IOException | _: IllegalArgumentException) =>
        throw new SettingException(ErrorCode.BadSetting, s"--kafka-properties $name cannot be read: ${e.getMessage}", e)
    }
    var found = Map.empty[String, String]
    read.stringPropertyNames.forEach { key =>
      found += (if (OfSource.contains(key)) key else s"kafka.$key") -> read.getProperty(key)
    }
    found
  }

  private val OfSource = Set("failOnDataLoss", "minPartitions", "includeHeaders", "groupIdPrefix", "fetchOffset.numRetries", "fetchOffset.retryIntervalMs",
    "kafkaConsumer.pollTimeoutMs")
}
