package andiron.cluster

import java.nio.file.{Files, Paths}

import org.apache.spark.sql.functions.col
import org.apache.spark.sql.{Encoder, Encoders, SparkSession}

import andiron._
import andiron.harness.{Arguments, Features, Json, Probe, Waiting}

/**
 * A job over the versions in `folder/versions`, run `rounds` times: `ClusterJob folder=... versions=v0,v1 rows=400 partitions=8
 * rounds=1 pause=0 read=cells|all|none executors=2 hold=true|false idle=true|false`. checks/cluster starts it, disturbs it and checks its
 * leftovers.
 *
 * @param pause milliseconds of sleep per row
 * @param read the part of its version that a row reads: eight cells, all of them, or none
 * @param executors the number of executors that must exist before a round begins; 0 begins at once
 * @param hold whether the application waits for a mark `go` after the rounds
 * @param idle whether the application waits after each round until it has no executors
 */
final case class Options(
    folder: String, versions: IndexedSeq[String], rows: Long, partitions: Int, rounds: Int, pause: Long, read: String, executors: Int,
    hold: Boolean, idle: Boolean)

object Options {
  def of(arguments: Array[String]): Options = {
    val words = Arguments.of(arguments)
    Options(
      words("folder"), words("versions").split(',').toIndexedSeq, words("rows").toLong, words("partitions").toInt, words("rounds").toInt,
      words("pause").toLong, words("read"), words("executors").toInt, words("hold").toBoolean, words("idle").toBoolean)
  }
}

object ClusterJob {
  def main(arguments: Array[String]): Unit = {
    val options = Options.of(arguments)
    val spark = SparkSession.builder().appName("andiron-cluster").getOrCreate()
    println(s"application: ${spark.sparkContext.applicationId}")
    try new ClusterJob(spark, options).run()
    finally spark.stop()
  }

  /** The row's id and the sum of all numbers of its version, which consists of little-endian longs; checks/cluster/content.py computes the same. */
  private def all(id: Long, bytes: Bytes): Long = {
    val end = bytes.size / 8 * 8
    var (sum, at) = (id, 0L)
    while (at < end) {
      sum += bytes.getLong(at)
      at += 8
    }
    sum
  }
}

/** The job in one application. It writes the marks `round-<n>`, `done-<n>` and `held`, and a line of `results.jsonl` for each round and for the end. */
final class ClusterJob(spark: SparkSession, options: Options) {
  private val marks = new Marks(options.folder)
  private val look = new Executors(spark)
  private implicit val pair: Encoder[(Long, Long)] = Encoders.tuple(Encoders.scalaLong, Encoders.scalaLong)

  def run(): Unit = {
    val catalog = VersionedData.catalog(
      spark, "cells", options.versions.map(name => Version(name, s"counted:${Paths.get(options.folder, "versions", name)}")), Loader.bytes)
    for (n <- 0 until options.rounds) {
      if (options.executors > 0) look.await(options.executors)
      marks.leave(s"round-$n")
      val started = System.nanoTime()
      val digest = Features.digest(features(catalog))
      marks.result("round" -> n, "digest" -> digest, "wall_ms" -> (System.nanoTime() - started) / 1000000)
      marks.leave(s"done-$n")
      if (options.idle) look.awaitNone()
    }
    if (options.hold) {
      marks.leave("held")
      marks.await("go", 600)
    }
    val before = look.settled()
    catalog.close()
    val after = look.settled()
    def sum(probes: Seq[Probe], name: String) = probes.map(_(name)).sum
    marks.result(
      "round" -> "end", "executors" -> before.size, "leases" -> sum(before, "leases"), "waiting" -> sum(before, "waiting"), "attempts" -> sum(before, "attempts"),
      "loads" -> sum(before, "loads"), "resident_after_close" -> sum(after, "residentBytes"), "spark" -> spark.version)
  }

  /** Each row's id with its feature, through a shuffle whose outputs are lost with their executors. */
  private def features(catalog: Catalog[Bytes]): Seq[(Long, Long)] = {
    val (names, pause, read) = (options.versions, options.pause, options.read)
    val rows = spark.range(0, options.rows, 1, options.partitions)
      .map((id: java.lang.Long) => (id.longValue, names((id % names.size).toInt)))(Encoders.tuple(Encoders.scalaLong, Encoders.STRING))
      .repartition(options.partitions, col("_1"))
    val found =
      if (read == "none") rows.map { (row: (Long, String)) =>
        Thread.sleep(pause)
        (row._1, row._1)
      }
      else rows.mapWithVersion(catalog, col("_2")) { (row, bytes) =>
        Thread.sleep(pause)
        (row._1, if (read == "all") ClusterJob.all(row._1, bytes) else Features.of(row._1, bytes.size / 8)(i => bytes.getLong(i * 8)))
      }
    found.collect().toSeq
  }
}

/** Marks and results in the application's folder, shared with checks/cluster. */
final class Marks(folder: String) {
  private def path(name: String) = Paths.get(folder, "marks", name)

  def leave(name: String): Unit = Files.createFile(path(name)): Unit

  def await(name: String, seconds: Int): Unit = Waiting.until(s"mark '$name'", seconds)(Files.exists(path(name)))

  /** Appends a line of JSON to the results. */
  def result(facts: (String, Any)*): Unit = Json.append(Paths.get(folder, "results.jsonl"), facts)
}
