package andiron.demo

import java.io.File

import org.apache.spark.sql.SparkSession

import andiron.Version

/** The input folders of an approach, written by demo/prepare.py, and the folder of its features. */
final case class Job(
    spark: SparkSession, data: String, versionFolder: String, out: String) {
  val rows: Rows = new Rows(spark, data)

  /** Names of all versions, in order. */
  val versions: Seq[String] = versionFiles.map(_.getName.stripSuffix(".bin"))

  /** The versions, for a catalog. */
  def catalogued: Seq[Version] = versionFiles.map(file => Version(file.getName.stripSuffix(".bin"), file.toURI.toString))

  def versionFiles: Seq[File] = new File(versionFolder).listFiles.filter(_.getName.endsWith(".bin")).sortBy(_.getName).toSeq
}

/**
 * The use of the executors by an approach: the loads in all of them, the maximum of versions (or copies) and of bytes in any one
 * executor, and the leases that were left after the job.
 */
final case class Held(loads: Long, mostVersions: Long, mostBytes: Long, leasesLeft: Long)
