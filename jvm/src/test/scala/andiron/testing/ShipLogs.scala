package andiron.testing

import java.nio.{ByteBuffer, ByteOrder}
import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.{Files, Path}

import com.fasterxml.jackson.databind.node.ObjectNode

/** One event of a ship log. `body` is without its time. */
final case class LoggedEvent(kind: Int, id: String, revision: Long, body: ObjectNode)

/** Reads the logs of applications that have ended, by docs/internals/wire-format.md and nothing else. */
object ShipLogs {
  val Metric = 2
  val Failure = 3
  val Stage = 4
  val LogLine = 8

  private val Marker = 0xc0ffc1fe
  private val HeadBytes = 32
  private val mapper = new com.fasterxml.jackson.databind.ObjectMapper

  /** All events under a directory of [[MetricsSparks.settings]], in their order. */
  def events(directory: Path): Seq[LoggedEvent] = {
    val root = directory.resolve("log")
    MetricsSparks.files(root).filter(_.matches(".*segment-\\d+\\.log")).flatMap(name => segment(Files.readAllBytes(root.resolve(name))))
  }

  /** The revisions that differ from the one before in nothing but their time. */
  def unchanged(events: Seq[LoggedEvent]): Seq[LoggedEvent] =
    events.groupBy(_.id).values.flatMap(of => of.zip(of.drop(1)).collect { case (before, after) if before.body == after.body => after }).toSeq

  private def segment(bytes: Array[Byte]): Seq[LoggedEvent] = {
    val data = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN)
    var found = Vector.empty[LoggedEvent]
    var at = data.getShort(10).toInt
    while (at < bytes.length) {
      require(data.getInt(at) == Marker, s"no record at byte $at")
      val (kind, id, body) = (data.get(at + 4).toInt, data.getShort(at + 6) & 0xffff, data.getInt(at + 8))
      if (kind != 0) {
        val json = mapper.readTree(new String(bytes, at + HeadBytes + id, body, UTF_8)).asInstanceOf[ObjectNode]
        json.remove("ts_ms")
        found :+= LoggedEvent(kind, new String(bytes, at + HeadBytes, id, UTF_8), data.getLong(at + 20), json)
      }
      at += HeadBytes + id + body + 4
    }
    found
  }
}
