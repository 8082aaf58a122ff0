package andiron.demo

import org.apache.spark.sql.{Encoder, Encoders}
import org.apache.spark.sql.functions.col

import andiron.{Andiron, Catalog, Loader, VersionedData, VersionedDataset}

/** The approach with Andiron. */
private[demo] final class WithAndiron(job: Job) {
  private implicit val text: Encoder[String] = Encoders.STRING

  /** Rows stay in their partitions, sorted by version, and read the bytes of the versions in place. */
  def run(): Held = {
    val catalog = VersionedData.catalog(job.spark, "nyc-metadata", job.catalogued, Loader.bytes)
    try {
      job.rows.flights.mapWithVersion(catalog, col("version")) { (flight, bytes) =>
        Features.line(flight, new VersionFile(bytes.getInt(_), bytes.getLong(_)).facts(flight))
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
