package andiron.faults

import java.io.IOException
import java.nio.file.{Files, Path, Paths}

import org.apache.spark.SparkException

import andiron.StoreException


/** The disk of the cache directory fills up during loads and has room again later. checks/faults/run.py provides a small disk. */
object DiskFull {
  private val Code = 111
  private val MostBytes = 32 << 20

  val fault: Fault = Fault("disk-full") { (bench, _) =>
    val lease = bench.small.lease("v0")
    val filler = Paths.get(bench.folder, "cache", "filler")
    val filled = fill(filler)
    val message = try { bench.small.lease("v1"); "none" } catch { case e: StoreException if e.code == Code => e.getMessage }
    for (part <- Seq("small", "v1", "spark.andiron.cache.dir", s"${bench.folder}/cache"))
      Fault.require(message.contains(part), s"a full disk should name $part: $message")
    val job =
      try bench.digest()
      catch { case e: SparkException => e.getMessage }
    Fault.require(job.contains("StoreException"), s"the job on a full disk: $job")
    Fault.require(lease.value.getLong(0) == Cells.cell("v0", 0), "a resident version changed")
    lease.close()
    Files.delete(filler)
    Thread.sleep(2 * Bench.FailureMemoryMillis)
    Seen(Seq(bench.digest()), Seq("filled_bytes" -> filled, "message" -> message))
  }

  /** Writes until the disk is full; returns the number of bytes written. */
  private def fill(file: Path): Long = {
    val block = new Array[Byte](64 << 10)
    val out = Files.newOutputStream(file)
    var written = 0L
    try while (written < MostBytes) {
      out.write(block)
      written += block.length
    } catch { case _: IOException => }
    finally out.close()
    written
  }
}
