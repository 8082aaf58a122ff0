package andiron.faults

import java.nio.file.{Files, Paths}

import org.apache.spark.sql.{Dataset, Encoder, Encoders, SparkSession}
import org.apache.spark.sql.functions.col

import andiron._
import andiron.faults.Hooks.Hook
import andiron.harness.{Features, Probe, Signals, Waiting}

/**
 * An application under test: datasets of known content, a job over them, and probes of every executor's cache.
 *
 * `small` has six versions of 1/2 budget each, as bytes and as objects; `large` has four versions that each fill the budget; `slow` has
 * four of this size whose loads stop halfway (SlowFileSystem). Every row's feature depends on the content of its version.
 */
final class Bench(val spark: SparkSession, val folder: String, seed: Long) {
  val signals = new Signals(s"$folder/signals")
  private val random = new scala.util.Random(seed)
  private val versionOf = Array.fill(Bench.Rows)(s"v${random.nextInt(Bench.Versions)}")

  /** The digest of the right result, computed without Spark. */
  val truth: String = Features.digest(versionOf.indices.map(id => (id.toLong, Cells.truth(id.toLong, versionOf(id), Bench.SmallLongs.toLong))))

  private def versions(dataset: String, count: Int, longs: Int, scheme: String): Seq[Version] = (0 until count).map { n =>
    val file = Paths.get(folder, "versions", s"$dataset-v$n")
    if (!Files.exists(file)) Cells.write(file, s"v$n", longs)
    Version(s"v$n", s"$scheme:$file")
  }

  def smallVersions: Seq[Version] = versions("small", Bench.Versions, Bench.SmallLongs, "file")

  lazy val small: Catalog[Bytes] = VersionedData.catalog(spark, "small", smallVersions, Loader.bytes)
  lazy val objects: Catalog[Array[Long]] = VersionedData.catalog(spark, "objects", smallVersions, Cells.objects)
  lazy val large: Catalog[Bytes] = VersionedData.catalog(spark, "large", versions("large", 4, Bench.BudgetLongs, "file"), Loader.bytes)
  lazy val slow: Catalog[Bytes] = VersionedData.catalog(spark, "slow", versions("slow", 4, Bench.BudgetLongs, "slow"), Loader.bytes)

  private implicit val pair: Encoder[(Long, Long)] = Encoders.tuple(Encoders.scalaLong, Encoders.scalaLong)

  private def rows = {
    val names = versionOf
    spark.range(0, Bench.Rows.toLong, 1, Bench.Partitions)
      .map((id: java.lang.Long) => (id.longValue, names(id.intValue)))(Encoders.tuple(Encoders.scalaLong, Encoders.STRING))
  }

  /** The features of all rows, computed from bytes; `hook` runs at every row, while its version is leased. */
  def features(hook: Hook = Hooks.none): Dataset[(Long, Long)] =
    rows.mapWithVersion(small, col("_2")) { (row, bytes) =>
      hook(row._1)
      (row._1, Cells.feature(row._1, bytes))
    }

  /** The features of all rows, computed from objects. */
  def objectFeatures(hook: Hook = Hooks.none): Dataset[(Long, Long)] =
    rows.mapWithVersion(objects, col("_2")) { (row, cells) =>
      hook(row._1)
      (row._1, Cells.feature(row._1, cells))
    }

  /** Runs the job and returns the digest of its result. */
  def digest(hook: Hook = Hooks.none): String = Features.digest(features(hook).collect().toSeq)

  def objectDigest(hook: Hook = Hooks.none): String = Features.digest(objectFeatures(hook).collect().toSeq)

  /** The number of executors; 1 in local mode. */
  def executors: Int = math.max(1, spark.sparkContext.statusTracker.getExecutorInfos.length - 1)

  /** The figures of every executor, read by a job that reaches all of them. */
  def probe(): Seq[Probe] = {
    var found = Seq.empty[Probe]
    Waiting.until(s"answer from each of $executors executors", 60) {
      found = Probe.each(spark)
      found.size >= executors
    }
    found
  }

  /** The figures once all executors are quiet; after 10 s the current ones. */
  def settled(): Seq[Probe] = Probe.settled(10)(probe())

  /** Waits until `count` executors run tasks. */
  def awaitExecutors(count: Int): Unit = Waiting.until(s"$count executors", 90)(executors >= count && probe().size >= count)

  /** The sum over the executors' last reports, which are at most 200 ms old. */
  def reported(name: String): Long = Andiron.cacheStats(spark).filterNot(_.isFinal).map(_.apply(name)).sum

  /** Uses the next application in this process, with other settings, and ends it; the current application must be stopped. */
  def following[A](settings: (String, String)*)(use: Bench => A): A = {
    val next = new Bench(Bench.session(folder, settings: _*), folder, seed)
    try {
      val used = use(next)
      next.close()
      used
    } finally next.spark.stop()
  }

  def close(): Unit = Seq(small, objects, large, slow).foreach(_.close())
}

object Bench {
  val Rows = 2400
  val Partitions = 8
  val Versions = 6
  val SmallLongs: Int = 1 << 18
  val BudgetLongs: Int = 1 << 19
  val BudgetBytes: Long = BudgetLongs * 8L
  val FailureMemoryMillis = 500L

  /** A session whose executors have a budget for two small versions or one large version. */
  def session(folder: String, settings: (String, String)*): SparkSession = {
    Seq("signals", "versions").foreach(name => Files.createDirectories(Paths.get(folder, name)))
    val builder = SparkSession.builder().appName("andiron-faults")
      .config("spark.andiron.cache.budgetBytes", BudgetBytes)
      .config("spark.andiron.cache.reportInterval", "200ms")
      .config("spark.andiron.cache.failureMemory", s"${FailureMemoryMillis}ms")
      .config("spark.shuffle.io.retryWait", "200ms")
      .config("spark.hadoop.fs.slow.impl", classOf[SlowFileSystem].getName)
      .config("spark.hadoop.fs.slow.signals", s"$folder/signals")
    settings.foreach { case (key, value) => builder.config(key, value) }
    val spark = builder.getOrCreate()
    println(s"application: ${spark.sparkContext.applicationId}")
    spark
  }
}
