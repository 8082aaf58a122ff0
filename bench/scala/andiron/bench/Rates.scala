package andiron.bench

import java.io.FileOutputStream
import java.nio.file.{Files, Path, Paths}
import java.nio.file.attribute.FileTime

import org.apache.hadoop.io.IOUtils
import org.apache.spark.sql.SparkSession

import andiron.{Bytes, Catalog, Loader, Version, VersionedData}

/**
 * The time until one version is readable in an executor, by each way in turn: mapped in place, copied from a local file, streamed
 * through Hadoop's file system, broadcast; compared with a populated mapping and with `cp`.
 */
object Rates {

  def run(spark: SparkSession, options: Options): Seq[Map[String, Any]] = {
    val file = Paths.get(options("file"))
    val rates = new Rates(spark, file, Paths.get(options("scratch")), Paths.get(options("cache")), options("populate").split(' ').toSeq)
    rates.warmUp()
    for (turn <- 0 until options.int("turns"); (name, seconds) <- rates.turn())
      yield Map[String, Any]("turn" -> turn, "what" -> name, "bytes" -> Files.size(file), "seconds" -> seconds)
  }

  private val PieceBytes = 128 << 10
}

private final class Rates(spark: SparkSession, original: Path, scratch: Path, cache: Path, populate: Seq[String]) {
  private val context = spark.sparkContext
  private val file = scratch.resolve(original.getFileName)
  private var number = 0

  /** Loads a small file in each way, so that classes are loaded and connections open. */
  def warmUp(): Unit = {
    val small = Files.write(scratch.resolve("small"), new Array[Byte](1 << 20))
    val folder = Files.createDirectory(scratch.resolve("warm-up"))
    val rates = new Rates(spark, small, folder, cache, populate)
    (0 until 3).foreach(_ => rates.turn())
  }

  def turn(): Seq[(String, Double)] = {
    write()
    val written = Seq("populate" -> populated(), "inplace" -> leased(s"file:$file", immutable = true))
    // A file that was leased in place has left the page cache; reading it brings it back.
    Files.readAllBytes(file): Unit
    val read = Seq("populate-read" -> populated(), "inplace-read" -> leased(s"file:$file", immutable = true))
    Files.readAllBytes(file): Unit
    written ++ read ++ Seq("cp" -> copied(), "local" -> leased(s"file:$file", immutable = false),
      "stream" -> leased(s"slow:$file", immutable = false), "broadcast" -> broadcast())
  }

  /** Rewrites the file in pieces of 128 KiB, as `cp` and Hadoop's clients do, so that the page cache holds it in small pages. */
  private def write(): Unit = {
    Files.deleteIfExists(file)
    val to = new FileOutputStream(file.toFile)
    try {
      val from = Files.newInputStream(original)
      try IOUtils.copyBytes(from, to, Rates.PieceBytes)
      finally from.close()
      to.getFD.sync()
    } finally to.close()
  }

  /**
   * Allocates and frees as much of the page cache as a copy needs. On a virtual machine that returns free memory to its host, allocating
   * memory that was free for long costs several times as much as filling it.
   */
  private def warmMemory(): Unit = {
    val copy = Files.copy(file, scratch.resolve("warm.bin"))
    Files.delete(copy)
  }

  /**
   * Removes the copies of earlier turns, as the copy of `cp` is removed before the clock starts. The collection also unmaps versions mapped in
   * place, whose pages then leave the page cache; reading the file brings them back.
   */
  private def removeCopies(): Unit = {
    inTask { () => System.gc(); Thread.sleep(200); 0L }: Unit
    Files.readAllBytes(file): Unit
    if (Files.isDirectory(cache)) Files.walk(cache).filter(path => path.toString.endsWith(".bytes")).forEach(path => Files.delete(path))
  }

  /** The seconds of a mapping that the kernel populates in the same call. */
  private def populated(): Double = command(populate :+ file.toString).trim.toDouble

  private def copied(): Double = {
    val copy = scratch.resolve("copy.bin")
    warmMemory()
    val started = System.nanoTime()
    command(Seq("cp", "--reflink=never", "--sparse=never", file.toString, copy.toString))
    val seconds = (System.nanoTime() - started) / 1e9
    Files.delete(copy)
    seconds
  }

  /** The seconds from the request for the version to its lease, in a task. The source is new to Andiron each time. */
  private def leased(source: String, immutable: Boolean): Double = {
    number += 1
    Files.setLastModifiedTime(file, FileTime.fromMillis(System.currentTimeMillis() / 1000 * 1000 - number * 60000L))
    val catalog: Catalog[Bytes] = VersionedData.catalog(spark, s"rates-$number", Seq(Version("v", source, immutable = immutable)), Loader.bytes)
    removeCopies()
    warmMemory()
    try inTask { () =>
      val cursor = catalog.cursor()
      val started = System.nanoTime()
      val bytes = cursor.advance("v")
      val nanos = System.nanoTime() - started
      if (bytes.getLong(bytes.size - 8) == 1) throw new IllegalStateException("the last word of the file is a stamp, never 1")
      nanos
    } finally catalog.close()
  }

  /** The seconds of the first `value` in an executor. */
  private def broadcast(): Double = {
    val sent = context.broadcast(Files.readAllBytes(file))
    try inTask { () =>
      val started = System.nanoTime()
      val length = sent.value.length
      val nanos = System.nanoTime() - started
      if (length == 0) throw new IllegalStateException("an empty broadcast")
      nanos
    } finally sent.destroy()
  }

  private def inTask(work: () => Long): Double =
    context.parallelize(Seq(0), 1).map(_ => work()).collect().head / 1e9

  private def command(words: Seq[String]): String = {
    val process = new ProcessBuilder(words: _*).redirectErrorStream(true).start()
    val output = new String(process.getInputStream.readAllBytes(), "UTF-8")
    if (process.waitFor() != 0) throw new IllegalStateException(s"${words.mkString(" ")}: $output")
    output
  }
}
