package andiron.demo

import java.io.InputStream

import org.apache.spark.sql.{Dataset, Encoder, Encoders}
import org.apache.spark.sql.functions.col

import andiron.{Andiron, Bytes, Catalog, Loader, Version, VersionedData, VersionedDataset}

/** The approaches with Andiron: what a user would write, and the figures that Andiron gives of itself. */
final class WithAndiron(job: Job) {
  private implicit val text: Encoder[String] = Encoders.STRING

  private val versions: Seq[Version] =
    job.versionFiles.map(file => Version(file.getName.stripSuffix(".bin"), file.toURI.toString))

  /** Approach 4: repartitioned by version. */
  def repartitioned(): Held = bytes(Slots.repartition(job.rows.flights, job.versions))

  /** Approach 5: rows where they are, sorted within partitions, the versions' bytes read in place. */
  def sortedBytes(): Held = bytes(job.rows.flights)

  /** Approach 5 with maps on the heap, as the loader of an existing pipeline makes them. */
  def sortedObjects(): Held = {
    val loader = Loader.objects((_: Version, in: InputStream) => VersionObjects.parse(in))
    shared(loader, job.rows.flights)((flight, metadata) => Features.line(flight, metadata.facts(flight)))
  }

  private def bytes(flights: Dataset[Flight]): Held =
    shared(Loader.bytes, flights) { (flight, bytes) =>
      Features.line(flight, new VersionFile(new AndironWords(bytes)).facts(flight))
    }

  private def shared[V](loader: Loader[V], flights: Dataset[Flight])(line: (Flight, V) => String): Held = {
    val catalog = VersionedData.catalog(job.spark, "nyc-metadata", versions, loader)
    try flights.mapWithVersion(catalog, col("version"))(line).write.text(job.out)
    finally catalog.close()
    held(catalog)
  }

  /** Executors have reported once more when `close` returns. */
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

/** A version's bytes off the heap, where Andiron has them. */
private final class AndironWords(bytes: Bytes) extends Words {
  def int(offset: Long): Int = bytes.getInt(offset)
  def long(offset: Long): Long = bytes.getLong(offset)
}
