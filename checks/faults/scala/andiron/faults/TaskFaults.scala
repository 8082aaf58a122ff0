package andiron.faults

import java.nio.file.{Files, Path, Paths}

import org.apache.spark.{HashPartitioner, SparkException}
import org.apache.spark.rdd.RDD

import andiron.{Loader, Version, VersionedData}
import andiron.harness.Features


/** Faults inside an application whose processes all survive. */
object TaskFaults {

  /** Tasks fail while they hold a lease, and Spark retries them. */
  private val retried = Fault("task-failure") { (bench, seed) =>
    Seen(Seq(bench.digest(Hooks.failing(seed)), bench.objectDigest(Hooks.failing(seed + 1)), bench.digest()), Seq.empty)
  }

  /** In local mode Spark does not retry a failed task: the job fails with the user's exception, and the next job is right. */
  private val failed = Fault("job-failure") { (bench, seed) =>
    val error =
      try {
        bench.digest(Hooks.failing(seed))
        "none"
      } catch { case e: SparkException => e.getMessage }
    Fault.require(error.contains("injected at row"), s"the job should have failed with the injected exception, not: $error")
    Seen(Seq(bench.digest()), Seq("message" -> error.linesIterator.next()))
  }

  /**
   * Map outputs are deleted between two jobs on one shuffle. Tasks of the second job hold leases when their fetches fail; Spark runs the map
   * stage again.
   */
  private val fetch = Fault("fetch-failure") { (bench, _) =>
    val spark = bench.spark.sparkContext
    val catalog = bench.small
    val versions = catalog.versions.toIndexedSeq
    val shuffled: RDD[(Long, Long)] = bench.features().rdd.partitionBy(new HashPartitioner(Bench.Partitions))
    val reading = shuffled.mapPartitionsWithIndex { (partition, rows) =>
      val cursor = catalog.cursor()
      val version = versions(partition % versions.size)
      rows.map { row =>
        val bytes = cursor.advance(version)
        Fault.require(bytes.getLong(8) == Cells.cell(version, 1), s"a wrong cell of $version")
        row
      }
    }
    val before = Features.digest(reading.collect().toSeq)
    val stages = new StageCounts
    spark.addSparkListener(stages)
    val removed = shuffleFiles(Paths.get(spark.getConf.get("spark.local.dir")))
    removed.foreach(file => Files.delete(file))
    val after = Features.digest(reading.collect().toSeq)
    spark.removeSparkListener(stages)
    Fault.require(removed.nonEmpty && stages.fetchFailures > 0, s"${removed.size} files removed, ${stages.fetchFailures} fetch failures")
    Seen(Seq(before, after, bench.digest()), Seq("files_removed" -> removed.size, "fetch_failures" -> stages.fetchFailures))
  }

  /** Loaders that throw errors for which Spark ends the executor if a task throws them. The executors must survive. */
  private val loaderErrors = Fault("loader-errors") { (bench, _) =>
    val before = bench.probe().map(_.pid).toSet
    val answers = Seq("StackOverflowError", "OutOfMemoryError", "NoSuchMethodError", "ThreadDeath").map { error =>
      val catalog = VersionedData.catalog(bench.spark, error, Seq(Version("v", "nowhere")), Loader.custom[String]((_: Version) => Errors.fail(error))((_: String) => 1L))
      val answer =
        try {
          bench.spark.sparkContext.parallelize(0 until 4, 4).map(_ => catalog.cursor().advance("v")).count()
          "none"
        } catch { case e: SparkException => e.getMessage }
      catalog.close()
      Fault.require(answer.contains("LoadException") && answer.contains(error), s"a loader's $error came as: $answer")
      error
    }
    val after = bench.probe().map(_.pid).toSet
    Fault.require(after == before, s"executors ${before.mkString(", ")} before the errors, ${after.mkString(", ")} after them")
    Seen(Seq(bench.digest()), Seq("errors" -> answers.mkString(" ")))
  }

  private def shuffleFiles(folder: Path): Seq[Path] = {
    val all = Files.walk(folder)
    try all.filter(_.getFileName.toString.matches("shuffle_.*\\.data")).toArray.toSeq.map(_.asInstanceOf[Path])
    finally all.close()
  }

  val all: Seq[Fault] = Seq(retried, failed, fetch, loaderErrors)
}

/** Throws errors by name, on executors. */
object Errors {
  def fail(error: String): Nothing = throw (error match {
    case "StackOverflowError" => new StackOverflowError("deep")
    case "OutOfMemoryError"   => new OutOfMemoryError("large")
    case "NoSuchMethodError"  => new NoSuchMethodError("gone")
    case "ThreadDeath"        => new ThreadDeath
  })
}
