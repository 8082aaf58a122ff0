package andiron.bench

import java.io.InputStream

import org.apache.spark.sql.Encoder
import org.apache.spark.sql.functions.col

import andiron.{Bytes, Catalog, Loader, Version, VersionedData, VersionedDataset}
import andiron.internal.cache.CacheStats

/** The approaches with Andiron, in the form of user code. Budget and keepWarm are settings of the application. */
object WithAndiron {

  def of(name: String, job: Job): Option[Approach] = name match {
    case "andiron-bytes"   => Some(bytes(job, inPlace = false))
    case "andiron-inplace" => Some(bytes(job, inPlace = true))
    case "andiron-objects" => Some(objects(job))
    case _                 => None
  }

  /** The files of the versions, with the scheme `slow:` for throttled loads. */
  def versions(job: Job, inPlace: Boolean): Seq[Version] = {
    val scheme = if (job.source.sleepMillis > 0) "slow" else "file"
    job.shape.names.map(name => Version(name, s"$scheme:${job.source.file(name)}", immutable = inPlace))
  }

  private def bytes(job: Job, inPlace: Boolean): Approach = {
    val shape = job.shape
    new Catalogued[Bytes](job, Loader.bytes, inPlace, (row, bytes) => Member.feature(shape, row, new LeasedPages(bytes)))
  }

  private def objects(job: Job): Approach = {
    val (shape, size, sleep) = (job.shape, job.shape.versionBytes, job.source.sleepMillis)
    val loader = Loader.objects((_: Version, in: InputStream) => {
      if (sleep > 0) Thread.sleep(sleep)
      HeapPages.read(in, size)
    }, (pages: HeapPages) => pages.bytes)
    new Catalogued[HeapPages](job, loader, inPlace = false, (row, pages) => Member.feature(shape, row, pages))
  }

  private final class Catalogued[V](job: Job, loader: Loader[V], inPlace: Boolean, feature: (Member, V) => Long) extends Approach(job) {
    private implicit val features: Encoder[Long] = Member.features
    private var catalog: Catalog[V] = _

    def run(): Tally = {
      catalog = VersionedData.catalog(job.spark, "bench", versions(job, inPlace), loader)
      Member.tally(job.members.mapWithVersion(catalog, col("version"))(feature))
    }

    override def close(): Unit = catalog.close()

    /** The current figures of the cache in the executors. */
    override def figures: Map[String, Long] = {
      val now = Executors.onEach(job.spark) { () => CacheStats.snapshot().toMap }
      now.values.flatMap(_.keys).toSet.map { (name: String) => name -> now.values.map(_.getOrElse(name, 0L)).sum }.toMap
    }
  }
}

/** The pages of a leased version. */
final class LeasedPages(bytes: Bytes) extends Pages {
  def long(offset: Long): Long = bytes.getLong(offset)
}
