package andiron.faults

import java.io.InputStream
import java.nio.{ByteBuffer, ByteOrder}
import java.nio.file.{Files, Path}

import andiron.harness.Features
import andiron.{Bytes, Loader, Version}

/** Versions of known content: the long with index `i` of a version is `cell(version, i)`. */
object Cells {

  def cell(version: String, index: Long): Long = Features.mix(version.hashCode.toLong << 32 ^ index)

  /** Writes `longs` cells, little-endian. */
  def write(file: Path, version: String, longs: Int): Unit = {
    val buffer = ByteBuffer.allocate(longs * 8).order(ByteOrder.LITTLE_ENDIAN)
    for (i <- 0 until longs) buffer.putLong(cell(version, i.toLong))
    Files.write(file, buffer.array()): Unit
  }

  def feature(id: Long, bytes: Bytes): Long = Features.of(id, bytes.size / 8)(i => bytes.getLong(i * 8))

  def feature(id: Long, cells: Array[Long]): Long = Features.of(id, cells.length.toLong)(i => cells(i.toInt))

  /** The right feature of a row, computed without Spark and Andiron. */
  def truth(id: Long, version: String, longs: Long): Long = Features.of(id, longs)(cell(version, _))

  /** A loader of the cells as an object on the heap. */
  def objects: Loader[Array[Long]] = Loader.objects[Array[Long]](
    (_: Version, in: InputStream) => {
      val buffer = ByteBuffer.wrap(in.readAllBytes()).order(ByteOrder.LITTLE_ENDIAN).asLongBuffer()
      val cells = new Array[Long](buffer.remaining)
      buffer.get(cells)
      cells
    },
    (cells: Array[Long]) => cells.length * 8L)
}
