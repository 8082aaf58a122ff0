package andiron.services

import org.apache.spark.sql.{SaveMode, SparkSession}

/** Asks a metastore by SQL: `Ask <statement> <folder>`; the rows are written there, a JSON object each. */
object Ask {
  def main(arguments: Array[String]): Unit = {
    val spark = SparkSession.builder().appName("ask").enableHiveSupport().getOrCreate()
    try spark.sql(arguments(0)).write.mode(SaveMode.Overwrite).json(arguments(1))
    finally spark.stop()
  }
}
