package andiron.demo

import java.nio.charset.StandardCharsets
import java.nio.file.{Files, Paths}
import java.util.Locale

import org.apache.spark.sql.{Dataset, Encoder, Encoders, SparkSession}

import andiron.harness.Arguments

/**
 * Runs one approach in one application: `Demo approach=... data=... versions=... out=... result=...`.
 * demo/run.py starts it for each approach and reads `result`.
 */
object Demo {
  private val Partitions = 16

  def main(arguments: Array[String]): Unit = {
    val option = Arguments.of(arguments)
    val spark = SparkSession.builder().appName(s"andiron-demo ${option("approach")}").getOrCreate()
    val progress = new Progress(spark.sparkContext)
    try {
      val job = Job(spark, option("data"), option("versions"), option("out"))
      println(s"application: ${spark.sparkContext.applicationId}")
      checkSpread(job)
      val started = System.nanoTime()
      val held = new Approaches(job).run(option("approach"))
      val seconds = (System.nanoTime() - started) / 1e9
      val result = Seq("wall_s" -> "%.3f".formatLocal(Locale.ROOT, seconds), "loads" -> held.loads,
        "max_resident_versions" -> held.mostVersions, "max_resident_bytes" -> held.mostBytes,
        "leases_left" -> held.leasesLeft, "spark" -> spark.version)
      val lines = result.map { case (key, value) => s"$key=$value\n" }.mkString
      Files.write(Paths.get(option("result")), lines.getBytes(StandardCharsets.UTF_8))
    } finally {
      progress.close()
      spark.stop()
    }
  }

  /** Requires at least 16 partitions of flights, each with every version. Also warms up the executors. */
  private def checkSpread(job: Job): Unit = {
    implicit val counts: Encoder[Int] = Encoders.scalaInt
    val flights: Dataset[Flight] = job.rows.flights
    val found = flights.mapPartitions((rows: Iterator[Flight]) => Iterator(rows.map(_.version).toSet.size)).collect()
    if (found.length < Partitions || found.exists(_ != job.versions.size))
      throw new IllegalStateException(
        s"flights are in ${found.length} partitions with ${found.mkString(", ")} versions: " +
          s"expected at least $Partitions, each with all ${job.versions.size}")
  }
}
