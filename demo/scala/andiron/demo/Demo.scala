package andiron.demo

import java.nio.charset.StandardCharsets
import java.nio.file.{Files, Paths}
import java.util.Locale

import org.apache.spark.sql.{Dataset, Encoder, Encoders, SparkSession}

/**
 * One approach in one application: `Demo approach=... data=... versions=... out=... scratch=... result=...`.
 * demo/run.py starts it for each approach, and reads `result`.
 */
object Demo {
  private val Partitions = 16

  def main(arguments: Array[String]): Unit = {
    val option = arguments.map(_.split("=", 2)).collect { case Array(key, value) => key -> value }.toMap
    val spark = SparkSession.builder().appName(s"andiron-demo ${option("approach")}").getOrCreate()
    val progress = new Progress(spark.sparkContext)
    try {
      val job = Job(spark, option("data"), option("versions"), option("out"), option("scratch"))
      println(s"application: ${spark.sparkContext.applicationId}")
      checkSpread(job)
      val started = System.nanoTime()
      val held = run(job, option("approach"))
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

  private def run(job: Job, approach: String): Held = {
    def rivals = new Rivals(job)
    def shared = new WithAndiron(job)
    approach match {
      case "baseline" => rivals.baseline()
      case "join" => rivals.plainJoin()
      case "closure" => rivals.closure()
      case "sorted-closure" => rivals.sortedClosure()
      case "repartition" => rivals.repartitioned()
      case "stages" => rivals.stagePerVersion()
      case "repartition-andiron" => shared.repartitioned()
      case "andiron-bytes" => shared.sortedBytes()
      case "andiron-objects" => shared.sortedObjects()
      case other => throw new IllegalArgumentException(s"approach=$other is not one of the demo's")
    }
  }

  /** Flights are spread as the job needs them: at least 16 partitions, each with every version. Also warms the executors. */
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
