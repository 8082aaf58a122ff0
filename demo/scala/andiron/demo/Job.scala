package andiron.demo

import java.io.File

import org.apache.spark.sql.SparkSession

import andiron.Version

/** The input of an approach, folders of demo/prepare.py, and the folder of its features. */
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
 * What an approach had in its executors: loads over all of them, the most versions (or copies of one) and bytes that any
 * one had at once, and the leases that were left when the job had ended.
 */
final case class Held(loads: Long, mostVersions: Long, mostBytes: Long, leasesLeft: Long)
