package andiron.testing

import java.nio.{ByteBuffer, ByteOrder}
import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.{Files, Path}
import java.util.zip.CRC32

import com.fasterxml.jackson.databind.JsonNode

import andiron.internal.util.Json

/** One record of a ship log. */
final case class ShippedEvent(kind: Int, id: String, revision: Long, body: String) {
  lazy val json: JsonNode = Json.parse(body)
}

/**
 * A ship log as docs/internals/wire-format.md says how to read it, by other code than Rust's.
 *
 * @param headers how many segments have a whole header
 * @param repeated records that were written again
 * @param missing sequences that are not there
 * @param skipped bytes that are no record, a torn tail included
 */
final case class ShipLogFiles(headers: Int, events: Vector[ShippedEvent], closed: Boolean, repeated: Long, missing: Long, skipped: Long) {

  /** Of each id the greatest revision. */
  lazy val latest: Map[String, ShippedEvent] =
    events.foldLeft(Map.empty[String, ShippedEvent])((all, e) => if (all.get(e.id).exists(_.revision > e.revision)) all else all + (e.id -> e))

  def latestOf(kind: Int): Seq[ShippedEvent] = latest.values.filter(_.kind == kind).toSeq
}

object ShipLogFiles {
  val Application = 1
  val Metric = 2
  val Failure = 3
  val Verdict = 7
  val Health = 9
  private val Magic = Array(0x89, 0x41, 0x4e, 0x44, 0x4c, 0x4f, 0x47, 0x0a).map(_.toByte)
  private val Marker = Array(0xfe, 0xc1, 0xff, 0xc0).map(_.toByte)

  /** The folders of applications below a log directory. */
  def folders(root: Path): Seq[Path] =
    if (!Files.exists(root)) Nil
    else root.toFile.listFiles().toSeq.filter(_.isDirectory).map(_.toPath).sortBy(_.getFileName.toString)

  def read(folder: Path): ShipLogFiles = {
    val segments = folder.toFile.listFiles().toSeq.filter(_.getName.matches("segment-\\d{10}\\.log")).sortBy(_.getName)
    var found = ShipLogFiles(0, Vector.empty, closed = false, 0, 0, 0)
    var last = 0L
    segments.foreach { file =>
      val bytes = Files.readAllBytes(file.toPath)
      header(bytes).foreach { length =>
        found = found.copy(headers = found.headers + 1)
        var at = length
        while (at < bytes.length) record(bytes, at) match {
          case None =>
            found = found.copy(skipped = found.skipped + 1)
            at += 1
          case Some((kind, sequence, event, size)) =>
            at += size
            if (sequence <= last) found = found.copy(repeated = found.repeated + 1)
            else {
              found = found.copy(missing = found.missing + sequence - last - 1, closed = kind == 0)
              last = sequence
              if (kind != 0) found = found.copy(events = found.events :+ event)
            }
        }
      }
    }
    found
  }

  private def little(bytes: Array[Byte]): ByteBuffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN)

  private def sums(bytes: Array[Byte], from: Int, to: Int): Boolean = {
    val crc = new CRC32
    crc.update(bytes, from, to - from)
    little(bytes).getInt(to) == crc.getValue.toInt
  }

  private def header(bytes: Array[Byte]): Option[Int] =
    if (bytes.length < 46 || !bytes.startsWith(Magic)) None
    else {
      val length = little(bytes).getShort(10) & 0xffff
      if (length >= 46 && length <= bytes.length && sums(bytes, 0, length - 4)) Some(length) else None
    }

  private def record(bytes: Array[Byte], at: Int): Option[(Int, Long, ShippedEvent, Int)] =
    if (bytes.length - at < 36 || !(0 until 4).forall(i => bytes(at + i) == Marker(i)) || !sums(bytes, at, at + 28)) None
    else {
      val all = little(bytes)
      val (kind, idLength, bodyLength) = (bytes(at + 4) & 0xff, all.getShort(at + 6) & 0xffff, all.getInt(at + 8))
      val end = at.toLong + 32 + idLength + bodyLength
      if (bodyLength < 0 || end + 4 > bytes.length || !sums(bytes, at, end.toInt)) None
      else {
        val (id, body) = (new String(bytes, at + 32, idLength, UTF_8), new String(bytes, at + 32 + idLength, bodyLength, UTF_8))
        Some((kind, all.getLong(at + 12), ShippedEvent(kind, id, all.getLong(at + 20), body), end.toInt + 4 - at))
      }
    }
}
