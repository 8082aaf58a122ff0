package andiron.hive

import org.apache.spark.rdd.RDD
import org.apache.spark.sql.SparkSession

import andiron.AndironException

/**
 * Puts events into the tables of a Hive database: `spark-submit --class andiron.hive.Ingest <jar> --from kafka ...` or `--from log ...`; without
 * `--follow` what there is, with it also what comes. Makes tables and views that are not there. May be killed and started again at any
 * moment: nothing is lost, and the views show every event once. One at a time for one database. Exit status: 0 done, 1 failed, 2 misused.
 */
object Ingest {

  def main(arguments: Array[String]): Unit = {
    val status = Options.parse(arguments.toSeq) match {
      case Left(misuse) =>
        System.err.print(s"andiron.hive.Ingest: $misuse\n\n${Options.Usage}")
        2
      case Right(options) =>
        try {
          println(s"done: ${run(options)}")
          0
        } catch {
          case e: AndironException =>
            System.err.println(s"andiron.hive.Ingest: ${e.getMessage}")
            1
        }
    }
    if (status != 0) sys.exit(status)
  }

  /** Ingests as told, and gives how many records went where. */
  private[hive] def run(options: Options): Counts = {
    val spark = SparkSession.builder().appName("andiron-ingest").config("spark.sql.catalogImplementation", "hive").getOrCreate()
    try {
      // For tables that somebody has made in another format.
      spark.conf.set("hive.exec.dynamic.partition.mode", "nonstrict")
      val store = new Store(spark, options.database)
      store.prepare()
      var all = Counts(Map.empty)
      def take(number: Long, records: RDD[Record]): Unit = {
        val counts = store.write(records)
        println(s"batch $number: $counts")
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
