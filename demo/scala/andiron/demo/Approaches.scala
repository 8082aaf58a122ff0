package andiron.demo

import java.nio.file.Paths

import org.apache.spark.sql.functions.col
import org.apache.spark.sql.{Dataset, Encoder, Encoders}

import andiron.harness.{Copies, OwnCopy}
import andiron.{Andiron, Bytes, Catalog, Loader, VersionedData, VersionedDataset}

/** The baseline, the plain join, the closure and Andiron. Each returns after its features are written. The benchmark has the other approaches of the talk. */
final class Approaches(job: Job) {
  private implicit val text: Encoder[String] = Encoders.STRING

  def run(approach: String): Held = approach match {
    // The rows carry their facts and are sorted like those of the approaches below, so that the additional memory of these is due to the metadata.
    case "baseline"       => written(job.rows.joined)
    case "join"           => written(job.rows.sparkJoin)
    case "sorted-closure" => closure()
    case "andiron-bytes"  => shared()
    case other            => throw new IllegalArgumentException(s"approach=$other is not one of the demo's")
  }

  private def written(rows: Dataset[(Flight, Facts)]): Held = {
    rows.map { (row: (Flight, Facts)) => Features.line(row._1, row._2) }.write.text(job.out)
    Held(0, 0, 0, 0)
  }

  /** Each task loads its own copies. Rows are sorted by version within partitions, so that a task loads each version once. */
  private def closure(): Held = {
    val (folder, context) = (job.versionFolder, job.spark.sparkContext)
    val (loads, copies, bytes) = (context.longAccumulator, context.collectionAccumulator[Int], context.collectionAccumulator[Long])
    job.rows.flights.sortWithinPartitions("version").mapPartitions { (rows: Iterator[Flight]) =>
      val copy = new OwnCopy
      var (name, version) = ("", null: VersionFile)
      rows.map { flight =>
        if (flight.version != name) {
          version = new VersionFile(new BufferWords(copy.read(Paths.get(folder, s"${flight.version}.bin"))))
          name = flight.version
          loads.add(1L)
          copies.add(Copies.most)
          bytes.add(Copies.mostInBytes)
        }
        Features.line(flight, version.facts(flight))
      }
    }.write.text(job.out)
    Held(loads.sum, copies.value.stream.mapToLong(_.toLong).max.orElse(0), bytes.value.stream.mapToLong(_.longValue).max.orElse(0), 0)
  }

  /** Rows stay in their partitions, sorted by version, and read the bytes of the versions in place. */
  private def shared(): Held = {
    val catalog = VersionedData.catalog(job.spark, "nyc-metadata", job.catalogued, Loader.bytes)
    try {
      job.rows.flights.mapWithVersion(catalog, col("version")) { (flight, bytes) =>
        Features.line(flight, new VersionFile(new AndironWords(bytes)).facts(flight))
      }.write.text(job.out)
    } finally catalog.close()
    held(catalog)
  }

  /** The executors' figures after the catalog is closed; `close` returns after a further report of each executor. */
  private def held(catalog: Catalog[_]): Held = {
    val executors = Andiron.cacheStats(job.spark)
    for (stats <- executors)
      System.err.println(s"figures of executor ${stats.executor}: ${stats.figures.toSeq.sorted.map { case (k, v) => s"$k=$v" }.mkString(" ")}")
    val left = executors.flatMap { stats =>
      Seq("residentBytes", "reservedBytes", "waiting", "cursors").map(name => name -> stats(name)).filter(_._2 != 0)
        .map { case (name, value) => s"executor ${stats.executor}: $name $value" }
    }
    if (executors.isEmpty || left.nonEmpty)
      throw new IllegalStateException(s"after the end of $catalog: ${if (executors.isEmpty) "no figures" else left.mkString(", ")}")
    Held(executors.map(_("loads")).sum, executors.map(_("maxResidentVersions")).max, executors.map(_("maxResidentBytes")).max,
      executors.map(_("leases")).sum)
  }
}

/** A leased version's bytes, read in place. */
private[demo] final class AndironWords(bytes: Bytes) extends Words {
  def int(offset: Long): Int = bytes.getInt(offset)
  def long(offset: Long): Long = bytes.getLong(offset)
}
