package andiron.demo

import java.nio.file.Paths

import org.apache.spark.sql.{Dataset, Encoder, Encoders}

import andiron.harness.{Arguments, Json}

/**
 * Runs one approach in one application: `Demo approach=... data=... versions=... out=... result=...`.
 * demo/run.py starts it for each approach and reads `result`, a line of JSON with fields of its class `Measured`.
 */
object Demo {
  private val Partitions = 16

  def main(arguments: Array[String]): Unit = {
    val option = Arguments.of(arguments)
    Progress.shown(s"andiron-demo ${option("approach")}") { spark =>
      val job = Job(spark, option("data"), option("versions"), option("out"))
      checkSpread(job)
      val started = System.nanoTime()
      val held = new Approaches(job).run(option("approach"))
      val millis = (System.nanoTime() - started) / 1000000
      Json.append(Paths.get(option("result")), Seq("wall_s" -> millis / 1e3, "loads" -> held.loads, "max_resident_versions" -> held.mostVersions,
        "max_resident_bytes" -> held.mostBytes, "leases_left" -> held.leasesLeft, "spark_version" -> spark.version))
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
