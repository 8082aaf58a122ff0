package andiron.demo

import org.apache.spark.sql.{Dataset, Encoder, Encoders}
import org.apache.spark.sql.functions.{col, lit}

/** The approaches that need no Andiron. Each returns once its features are written. */
final class Rivals(job: Job) {
  private implicit val text: Encoder[String] = Encoders.STRING
  private implicit val flight: Encoder[Flight] = Rows.flightEncoder
  private val tally = Tally.in(job.spark.sparkContext)

  /**
   * The job without metadata: the same features from rows that hold their facts already. They are sorted as Andiron and the
   * sorted closure sort them, so that what these take beyond it is for their metadata.
   */
  def baseline(): Held = written(job.rows.joined)

  /** Spark joins flights with the metadata as tables. */
  def plainJoin(): Held = written(job.rows.sparkJoin)

  /** Approach 1: each task loads its own copy and switches as the rows come. */
  def closure(): Held = closure(job.rows.flights)

  /** Approach 1 with rows sorted by version within partitions, so that a task loads each version once. */
  def sortedClosure(): Held = closure(job.rows.flights.sortWithinPartitions("version"))

  /** Approach 2: repartitioned by version, each task loads the one version of its partition. */
  def repartitioned(): Held = closure(Slots.repartition(job.rows.flights, job.versions))

  /** Approach 3: rows materialised by version, then one job per version, each task with its own copy. */
  def stagePerVersion(): Held = {
    val materialised = s"${job.scratch}/by-version"
    Slots.repartition(job.rows.flights, job.versions).write.partitionBy("version").parquet(materialised)
    val columns = Rows.flightEncoder.schema.fieldNames.map(name => col(name)).toIndexedSeq
    for (version <- job.versions) {
      val rows = job.spark.read.parquet(s"$materialised/version=$version").withColumn("version", lit(version))
      computed(rows.select(columns: _*).as[Flight]).write.text(s"${job.out}/$version")
    }
    held
  }

  private def closure(flights: Dataset[Flight]): Held = {
    computed(flights).write.text(job.out)
    held
  }

  private def computed(flights: Dataset[Flight]): Dataset[String] = {
    val (folder, counts) = (job.versionFolder, tally)
    flights.mapPartitions { (rows: Iterator[Flight]) =>
      val copy = new OwnCopy(folder, counts)
      rows.map(flight => Features.line(flight, copy.of(flight.version).facts(flight)))
    }
  }

  private def written(rows: Dataset[(Flight, Facts)]): Held = {
    rows.map { (row: (Flight, Facts)) => Features.line(row._1, row._2) }.write.text(job.out)
    Held(0, 0, 0, 0)
  }

  private def held: Held = Held(tally.loads.value, tally.copies.value, tally.bytes.value, 0)
}
