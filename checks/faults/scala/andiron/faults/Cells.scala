package andiron.faults

import java.io.InputStream
import java.nio.{ByteBuffer, ByteOrder}
import java.nio.file.{Files, Path}
import java.security.MessageDigest

import andiron.{Bytes, Loader, Version}


/** Versions whose every number is known: long number `i` of a version is `cell(version, i)`. */
object Cells {

  def cell(version: String, index: Long): Long = mix(version.hashCode.toLong << 32 ^ index)

  /** The finaliser of SplitMix64: a bijection without visible order. */
  def mix(x: Long): Long = {
    val a = (x ^ (x >>> 30)) * 0xbf58476d1ce4e5b9L
    val b = (a ^ (a >>> 27)) * 0x94d049bb133111ebL
    b ^ (b >>> 31)
  }

  /** Writes `longs` cells, little-endian. */
  def write(file: Path, version: String, longs: Int): Unit = {
    val buffer = ByteBuffer.allocate(longs * 8).order(ByteOrder.LITTLE_ENDIAN)
    for (i <- 0 until longs) buffer.putLong(cell(version, i.toLong))
    Files.write(file, buffer.array()): Unit
  }

  /** The feature of a row: the sum of eight cells that its id chooses. */
  def feature(id: Long, longs: Long, at: Long => Long): Long = {
    var sum = id
    for (k <- 0L until 8L) sum += at(Math.floorMod(mix(id * 8 + k), longs))
    sum
  }

  def feature(id: Long, bytes: Bytes): Long = feature(id, bytes.size / 8, i => bytes.getLong(i * 8))

  def feature(id: Long, cells: Array[Long]): Long = feature(id, cells.length.toLong, i => cells(i.toInt))

  /** The same without Spark or Andiron. */
  def truth(id: Long, version: String, longs: Long): Long = feature(id, longs, cell(version, _))

  /** Cells as an object on the heap. */
  def objects: Loader[Array[Long]] = Loader.objects[Array[Long]](
    (_: Version, in: InputStream) => {
      val buffer = ByteBuffer.wrap(in.readAllBytes()).order(ByteOrder.LITTLE_ENDIAN).asLongBuffer()
      val cells = new Array[Long](buffer.remaining)
      buffer.get(cells)
      cells
    },
    (cells: Array[Long]) => cells.length * 8L)

  /** SHA-256 of rows in the order of their ids, as `id,feature` lines. */
  def digest(rows: Seq[(Long, Long)]): String = {
    val sha = MessageDigest.getInstance("SHA-256")
    rows.sorted.foreach { case (id, value) => sha.update(s"$id,$value\n".getBytes("UTF-8")) }
    sha.digest().map(b => f"$b%02x").mkString
  }
}
