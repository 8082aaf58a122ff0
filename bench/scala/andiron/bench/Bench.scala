package andiron.bench

import java.nio.file.Paths

import org.apache.spark.sql.SparkSession

import andiron.harness.{Arguments, Json}

/**
 * The applications of the benchmarks, one per process: `Bench run=... key=value ... result=FILE`. bench/spark_app.py starts them and
 * reads `result`.
 */
object Bench {

  def main(arguments: Array[String]): Unit = {
    val options = new Options(Arguments.of(arguments))
    val spark = SparkSession.builder().appName(s"andiron-bench ${options("run")}").getOrCreate()
    try {
      val records = options("run") match {
        case "approach"  => Seq(OneApproach.run(spark, options))
        case "sweep"     => Sweep.run(spark, options)
        case "rates"     => Rates.run(spark, options)
        case "kills"     => Kills.run(spark, options)
        case "listeners" => metrics.Listeners.run(spark, options)
        case "overhead"  => metrics.Overhead.run(spark, options)
        case "rows"      => metrics.GuardedRowCost.run(spark, options)
        case "stages"    => metrics.ManyStages.run(spark, options)
        case "failing"   => metrics.FailingRows.run(spark, options)
        case "table-data" => Seq(TableJob.prepare(spark, options))
        case "table"      => Seq(TableJob.run(spark, options))
        case "publishing" => metrics.Publishing.run(spark, options)
        case other       => throw new IllegalArgumentException(s"run=$other is none of the benchmark's applications")
      }
      val facts = Map("spark" -> spark.version, "scala" -> scala.util.Properties.versionNumberString)
      Json.write(Paths.get(options("result")), records.map(_ ++ facts))
    } finally spark.stop()
  }
}

/** The options of an application, given as `key=value`. */
final class Options(values: Map[String, String]) {
  def apply(key: String): String = values.getOrElse(key, throw new IllegalArgumentException(s"$key=... is missing"))
  def long(key: String): Long = apply(key).toLong
  def int(key: String): Int = apply(key).toInt
  def ints(key: String): Seq[Int] = apply(key).split(',').toSeq.map(_.toInt)

  def shape: Shape = Shape(int("versions"), long("version_bytes"), int("partitions"), int("stripes"), int("row_bytes"),
    long("work"), long("pause_micros"), int("tasks_per_version"), long("seed"))

  def job(spark: SparkSession): Job =
    Job(spark, shape, Source(apply("data"), long("load_millis")), long("limit"), apply("scratch"))
}
