package andiron.hive

import org.apache.spark.rdd.RDD
import org.apache.spark.sql.SparkSession

import andiron.AndironException
import andiron.internal.metrics.Terminal

/** The implementation of [[Ingest]]. */
private[hive] object IngestCommand {

  def main(arguments: Array[String]): Unit = {
    val status = Options.parse(arguments.toSeq) match {
      case Left(misuse) =>
        Terminal.err.print(s"andiron.hive.Ingest: $misuse\n\n${Options.Usage}")
        2
      case Right(options) =>
        try {
          Terminal.out.println(s"done: ${run(options)}")
          0
        } catch {
          case e: AndironException =>
            Terminal.err.println(s"andiron.hive.Ingest: ${e.getMessage}")
            1
        }
    }
    if (status != 0) sys.exit(status)
  }

  /** Ingests by the options and returns the numbers of records by table and cause. */
  private[hive] def run(options: Options): Counts = {
    val spark = SparkSession.builder().appName("andiron-ingest").config("spark.sql.catalogImplementation", "hive").getOrCreate()
    try {
      // For tables that users have created in another format.
      spark.conf.set("hive.exec.dynamic.partition.mode", "nonstrict")
      val store = new Store(spark, options.database)
      store.prepare()
      var all = Counts(Map.empty)
      def take(number: Long, records: RDD[Record]): Unit = {
        val counts = store.write(records)
        Terminal.out.println(s"batch $number: $counts")
        all += counts
      }
      options.from match {
        case "kafka" => KafkaSource.run(spark, options)(take)
        case _       => LogSource.run(spark, store, options)(take)
      }
      all
    } finally spark.stop()
  }
}
