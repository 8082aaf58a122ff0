package andiron.cluster

import java.nio.file.Paths

import org.apache.spark.sql.functions.col
import org.apache.spark.sql.{Encoder, Encoders, SparkSession}

import andiron._
import andiron.harness.{Arguments, Features, Json, Probe, Signals, Waiting}

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
object ClusterJob {
  def main(arguments: Array[String]): Unit = {
    val spark = SparkSession.builder().appName("andiron-cluster").getOrCreate()
    println(s"application: ${spark.sparkContext.applicationId}")
    try new ClusterJob(spark, Arguments.of(arguments)).run()
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
final class ClusterJob(spark: SparkSession, option: Map[String, String]) {
  private val names = option("versions").split(',').toIndexedSeq
  private val marks = new Signals(s"${option("folder")}/marks")
  private val look = new Executors(spark)
  private implicit val pair: Encoder[(Long, Long)] = Encoders.tuple(Encoders.scalaLong, Encoders.scalaLong)

  def run(): Unit = {
    val catalog = VersionedData.catalog(
      spark, "cells", names.map(name => Version(name, s"counted:${Paths.get(option("folder"), "versions", name)}")), Loader.bytes)
    for (n <- 0 until option("rounds").toInt) {
      if (option("executors") != "0") look.await(option("executors").toInt)
      marks.mark(s"round-$n"): Unit
      val started = System.nanoTime()
      val digest = Features.digest(features(catalog))
      result("round" -> n, "digest" -> digest, "wall_ms" -> (System.nanoTime() - started) / 1000000)
      marks.mark(s"done-$n"): Unit
      if (option("idle").toBoolean) look.awaitNone()
    }
    if (option("hold").toBoolean) {
      marks.mark("held"): Unit
      marks.await("go", seconds = 600): Unit
    }
    val before = look.settled()
    catalog.close()
    val after = look.settled()
    def sum(probes: Seq[Probe], name: String) = probes.map(_(name)).sum
    result(
      "round" -> "end", "executors" -> before.size, "leases" -> sum(before, "leases"), "waiting" -> sum(before, "waiting"), "attempts" -> sum(before, "attempts"),
      "loads" -> sum(before, "loads"), "resident_after_close" -> sum(after, "residentBytes"), "spark" -> spark.version)
  }

  /** Appends a line of JSON to the results. */
  private def result(facts: (String, Any)*): Unit = Json.append(Paths.get(option("folder"), "results.jsonl"), facts)

  /** Each row's id with its feature, through a shuffle whose outputs are lost with their executors. */
  private def features(catalog: Catalog[Bytes]): Seq[(Long, Long)] = {
    val (names, partitions, pause, read) = (this.names, option("partitions").toInt, option("pause").toLong, option("read"))
    val rows = spark.range(0, option("rows").toLong, 1, partitions)
      .map((id: java.lang.Long) => (id.longValue, names((id % names.size).toInt)))(Encoders.tuple(Encoders.scalaLong, Encoders.STRING))
      .repartition(partitions, col("_1"))
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

/** The executors of an application. */
private final class Executors(spark: SparkSession) {

  /** The number of executors that the driver knows. */
  private def count: Int = spark.sparkContext.statusTracker.getExecutorInfos.length - 1

  /** Waits until at least `least` executors run tasks. */
  def await(least: Int): Unit = Waiting.until(s"$least executors", 180)(count >= least && Probe.each(spark).size >= least)

  /** Waits until no executor is left. */
  def awaitNone(): Unit = Waiting.until("end of all executors", 180)(count == 0)

  def settled(): Seq[Probe] = Probe.settled(20)(Probe.each(spark))
}
