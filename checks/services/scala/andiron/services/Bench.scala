package andiron.services

import java.nio.file.Path
import java.security.MessageDigest
import java.util.zip.CRC32

import scala.reflect.ClassTag

import org.apache.hadoop.fs.{FileSystem, Path => HadoopPath}
import org.apache.spark.sql.{Encoders, Row, SparkSession}
import org.apache.spark.sql.functions.col

import andiron._
import andiron.harness.Waiting

/** A Spark application in one process whose sources are files below `root`, a URI of a real storage. `hadoop`: the settings that give access to it. */
final class Bench(folder: Path, root: String, hadoop: Map[String, String]) {
  val spark: SparkSession = {
    val builder = SparkSession.builder().master("local[2]").appName("andiron-services")
      .config("spark.andiron.cache.dir", folder.resolve("cache").toString)
      .config("spark.andiron.cache.budgetBytes", "256m")
      .config("spark.andiron.cache.failureMemory", "0")
      .config("spark.andiron.cache.reportInterval", "200ms")
    hadoop.foreach { case (key, value) => builder.config(s"spark.hadoop.$key", value) }
    builder.getOrCreate()
  }

  lazy val files: FileSystem = new HadoopPath(root).getFileSystem(spark.sparkContext.hadoopConfiguration)

  def uri(name: String): String = s"$root/$name"

  /** Rewrites the file; its modification time changes even if the storage has times in whole seconds. */
  def put(name: String, bytes: Array[Byte]): Unit = {
    val path = new HadoopPath(uri(name))
    if (files.exists(path)) Thread.sleep(1100)
    val out = files.create(path, true)
    out.write(bytes)
    out.close()
  }

  def delete(name: String): Unit = Check.require(files.delete(new HadoopPath(uri(name)), false), s"$name was not there")

  def figure(name: String): Long = Andiron.cacheStats(spark).find(_.executor == "driver").fold(0L)(_.apply(name))

  def withCatalog[V, A](loader: Loader[V], versions: Version*)(body: Catalog[V] => A): A = {
    val catalog = VersionedData.catalog(spark, Bench.Dataset, versions, loader)
    try body(catalog)
    finally catalog.close()
  }

  /** The bytes of a leased version. */
  def read(catalog: Catalog[Bytes], version: String): Array[Byte] = {
    val lease = catalog.lease(version)
    try lease.value.toArray(0, lease.value.size.toInt)
    finally lease.close()
  }

  /**
   * Loads a version of `content` while another is leased, and runs `fault` once the load has read `after` bytes. The other version must stay
   * unchanged. `outcome` requests the load and gives its observations.
   */
  def loading[A](version: Version, content: Array[Byte], after: Long)(fault: => Unit)(outcome: Catalog[Bytes] => A): A = {
    val whole = content.take(Bench.MiB)
    put("other", whole)
    put(version.name, content)
    withCatalog(Loader.bytes, Version("other", uri("other"), Some(whole.length.toLong), Some(Bench.sha256(whole))), version) { catalog =>
      val resident = catalog.lease("other")
      try {
        Halting.arm(after)(fault)
        val seen = outcome(catalog)
        Check.require(java.util.Arrays.equals(resident.value.toArray(0, whole.length), whole), "the resident version has changed")
        seen
      } finally resident.close()
    }
  }

  /** Reads a version through the catalog and compares the bytes. */
  def requireRead(catalog: Catalog[Bytes], name: String, content: Array[Byte]): Unit =
    Check.require(java.util.Arrays.equals(read(catalog, name), content), s"$name has other bytes than were written")

  /** Runs a job that sums one byte of each row's version. */
  def job(catalog: Catalog[Bytes], versions: Int, rows: Long): Long =
    spark.range(0, rows, 1, 4).selectExpr("id", s"concat('v', id % $versions) as version")
      .mapWithVersion(catalog, col("version")) { (row: Row, value: Bytes) =>
        row.getLong(0) + value.getByte(row.getLong(0) * 7919 % value.size)
      }(Encoders.scalaLong).collect().sum

  /** The exception of `body`: it must be an `E` with one of `codes`, and its message must name version, dataset and source. */
  def failure[E <: AndironException](name: String, codes: Int*)(body: => Any)(implicit tag: ClassTag[E]): AndironException = {
    val thrown = try { body; None } catch { case e: Throwable => Some(e) }
    thrown match {
      case Some(e: E) =>
        Check.require(codes.contains(e.code), s"code ${e.code} instead of ${codes.mkString(" or ")}: $e")
        Seq(name, Bench.Dataset, uri(name)).foreach(part => Check.require(e.getMessage.contains(part), s"$part is not in: ${e.getMessage}"))
        e
      case Some(e) => throw new IllegalStateException(s"not a ${tag.runtimeClass.getSimpleName}: $e", e)
      case None    => throw new IllegalStateException(s"no ${tag.runtimeClass.getSimpleName}: $name could be read")
    }
  }

  /** Waits until there are no leases, waiting tasks or resident versions; fails after 10 s. */
  def requireQuiet(): Unit = {
    val names = Seq("leases", "waiting", "cursors", "residentBytes", "reservedBytes")
    Waiting.holds(10)(!names.exists(figure(_) != 0)): Unit
    names.foreach(name => Check.require(figure(name) == 0, s"$name is ${figure(name)} after the check"))
  }
}

object Bench {
  val Dataset = "metadata"
  val MiB: Int = 1 << 20

  /** Bytes that differ for different seeds. */
  def bytes(seed: Int, length: Int): Array[Byte] = {
    val bytes = new Array[Byte](length)
    new scala.util.Random(seed).nextBytes(bytes)
    bytes
  }

  def sha256(bytes: Array[Byte]): String = "sha256:" + MessageDigest.getInstance("SHA-256").digest(bytes).map(b => f"$b%02x").mkString

  def crc32(bytes: Array[Byte]): String = {
    val crc = new CRC32
    crc.update(bytes)
    f"crc32:${crc.getValue}%08x"
  }
}
