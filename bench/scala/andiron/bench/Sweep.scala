package andiron.bench

import java.nio.file.{Files, Path, Paths}

import org.apache.spark.sql.SparkSession

/**
 * Numbers of slots and of versions, in one local process with `slots` task slots. Loads and work are sleeps, so that the number of cores
 * does not limit the slots. Each cell has its own catalog or holders. `versions_list` must ascend: Andiron's maxima are per process.
 */
object Sweep {

  def run(spark: SparkSession, options: Options): Seq[Map[String, Any]] = {
    val base = options.job(spark)
    base.warmUp()
    val sums = new TaskSums(spark.sparkContext)
    val cells = for {
      versions <- options.ints("versions_list")
      turn <- 0 until options.int("turns")
      name <- options("approaches").split(',').toSeq
    } yield (versions, turn, name)
    val short = base.copy(shape = base.shape.copy(pauseMicros = 1), source = base.source.copy(sleepMillis = 1))
    cells.map(_._3).distinct.foreach(name => cell(inFolder(short, s"$name-warm-up", 1), name, sums))
    cells.map { case (versions, turn, name) => cell(inFolder(base, s"$name-$versions-$turn", versions), name, sums) + ("turn" -> turn) }
  }

  /** The job with `versions` versions under new names. */
  private def inFolder(base: Job, name: String, versions: Int): Job = {
    val folder = Files.createDirectories(Paths.get(base.scratch, name))
    base.copy(shape = base.shape.copy(versions = versions), source = copied(base.source, folder), scratch = s"$folder/rows")
  }

  private def copied(source: Source, folder: Path): Source = {
    Paths.get(source.folder).toFile.listFiles.foreach(file => Files.copy(file.toPath, folder.resolve(file.getName)))
    source.copy(folder = folder.toString)
  }

  private def cell(job: Job, name: String, sums: TaskSums): Map[String, Any] = {
    val approach = OneApproach.of(name, job)
    Loads.reset()
    val before = approach.figures
    val timed = approach.timed(sums)
    val own = approach.figures
    approach.close()
    val loads = own.get("loads").map(_ - before.getOrElse("loads", 0L)).getOrElse(Loads.count.get)
    timed ++ Map("approach" -> name, "versions" -> job.shape.versions, "loads" -> loads,
      "most_versions" -> own.getOrElse("maxResidentVersions", Loads.figures("most_versions")),
      "most_in_use" -> Loads.figures("most_in_use"),
      "leases_left" -> approach.figures.getOrElse("leases", 0L))
  }
}
