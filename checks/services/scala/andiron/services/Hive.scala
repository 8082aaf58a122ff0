package andiron.services

import java.nio.file.{Path, Paths}

import org.apache.spark.sql.SparkSession

/** Checks with a Hive metastore and a Kafka broker, processes on the loopback interface that checks/services/hive.py and kafka.py start. */
object Hive {

  def run(folder: Path, option: Map[String, String], report: Seq[(String, Any)] => Unit): Unit = {
    val warehouse = Paths.get(option("warehouse"))
    val spark = SparkSession.builder().appName("andiron-services")
      .config("spark.sql.catalogImplementation", "hive")
      .config("spark.hadoop.hive.metastore.uris", option("metastore"))
      .config("spark.sql.warehouse.dir", warehouse.toString)
      .config("spark.sql.shuffle.partitions", "2")
      .config("spark.andiron.log.dir", folder.resolve("log").toString)
      .config("spark.andiron.cache.dir", folder.resolve("cache").toString)
      .getOrCreate()
    val (gates, ingest) = (new HiveGates(spark, warehouse), new HiveIngest(spark, folder, option))
    try Check.each(gates.checks ++ ingest.checks, report)(())
    finally spark.stop()
  }
}
