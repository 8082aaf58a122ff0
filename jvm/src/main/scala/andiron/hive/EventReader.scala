package andiron.hive

import java.nio.ByteBuffer
import java.nio.charset.{CharacterCodingException, CodingErrorAction, StandardCharsets}
import java.time.{Instant, ZoneOffset}
import java.util.concurrent.TimeUnit

import com.fasterxml.jackson.core.{JsonParser, JsonProcessingException}
import com.fasterxml.jackson.databind.{DeserializationFeature, JsonNode, ObjectMapper}
import org.apache.spark.sql.Row

/**
 * A record from its source: for Kafka with topic, partition and offset; for a log (`topic` is null) with its position
 * in the log and without a key.
 *
 * @param timeMs Kafka's timestamp of the record; negative if unknown
 */
private[hive] final case class Record(topic: String, partition: Int, position: Long, timeMs: Long, key: Array[Byte], value: Array[Byte]) {
  def origin: String = if (topic == null) "log" else s"kafka:$topic/$partition"
}

/** A row of a table. `cause` is the reason for quarantine; empty for other rows. */
private[hive] final case class Placed(table: String, cause: String, row: Row, bytes: Long)

/**
 * Converts records to rows. A record that is not an event by docs/internals/wire-format.md goes to quarantine as a
 * whole, with the cause.
 */
private[hive] object EventReader {

  /** The newest event version `v` that this release knows. */
  val Newest = 1L

  /** Days before Andiron existed, and days in the future, come from wrong clocks. */
  private val Oldest = Instant.parse("2020-01-01T00:00:00Z").toEpochMilli
  private val Ahead = TimeUnit.DAYS.toMillis(1)

  private val mapper = new ObjectMapper()
    .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
    .enable(JsonParser.Feature.STRICT_DUPLICATE_DETECTION)

  private final class Refused(val cause: String, detail: String) extends Exception(detail, null, false, false)

  private def refuse(cause: String, detail: String): Nothing = throw new Refused(cause, detail)

  /** The row of a record; `nowMs` is the time of reading the batch. */
  def read(record: Record, nowMs: Long): Placed = {
    val bytes = if (record.value == null) 0L else record.value.length.toLong
    try {
      val key = Option(record.key).map(text(_, "key", "the key is not UTF-8"))
      if (record.value == null) refuse("empty", "the record has no value")
      val body = text(record.value, "encoding", "the value is not UTF-8")
      val event = parse(body)
      val (table, row) = place(event, body, key, record, nowMs)
      Placed(table.name, "", row, bytes)
    } catch { case e: Refused => Placed(Tables.quarantine.name, e.cause, refused(record, e, nowMs), bytes) }
  }

  /**
   * The UTC day of a time. A time before 2020, or a day or more after `nowMs`, comes from a wrong clock and gives the
   * day of `nowMs`.
   */
  def day(timeMs: Long, nowMs: Long): String = {
    val trusted = if (timeMs >= Oldest && timeMs < nowMs + Ahead) timeMs else nowMs
    Instant.ofEpochMilli(trusted).atOffset(ZoneOffset.UTC).toLocalDate.toString
  }

  private def text(bytes: Array[Byte], cause: String, detail: String): String =
    try StandardCharsets.UTF_8.newDecoder().onMalformedInput(CodingErrorAction.REPORT).onUnmappableCharacter(CodingErrorAction.REPORT)
      .decode(ByteBuffer.wrap(bytes)).toString
    catch { case _: CharacterCodingException => refuse(cause, detail) }

  private def parse(body: String): JsonNode = {
    val parsed =
      try mapper.readTree(body)
      catch { case e: JsonProcessingException => refuse("json", s"the value is not JSON: ${e.getOriginalMessage}") }
    if (parsed == null || !parsed.isObject) refuse("json", "the value is not a JSON object")
    parsed
  }

  private def place(event: JsonNode, body: String, key: Option[String], record: Record, nowMs: Long): (Table, Row) = {
    val schema = whole(event, "v")
    if (schema > Newest) refuse("schema", s"the event is of schema $schema, and this release knows up to $Newest: ingest it with a newer Andiron")
    val id = named(event, "event_id")
    if (key.exists(_ != id)) refuse("key", "the key is not the event_id")
    named(event, "app_id")
    whole(event, "ts_ms")
    if (whole(event, "revision") < 1) refuse("type", "revision is less than 1")
    val kind = named(event, "kind")
    val own = Columns.byKind.getOrElse(kind, refuse("kind", s"no kind of event is called '${kind.take(100)}'"))
    val values = (Columns.common ++ own ++ (if (kind == "Metric") amounts(event) else Nil)).map(column => column.name -> of(event, column)).toMap
    val more = Map("origin" -> record.origin, "position" -> record.position, "body" -> body, "dt" -> day(event.get("ts_ms").longValue, nowMs),
      "app_attempt" -> Option(values("app_attempt")).getOrElse(""))
    val table = if (Columns.ofFailures.contains(kind)) Tables.failures else Tables.metrics
    (table, Row.fromSeq(table.schema.fieldNames.toSeq.map(name => more.getOrElse(name, values.getOrElse(name, null)))))
  }

  private def amounts(event: JsonNode): Seq[Column] = {
    val isDouble = "double" == event.path("type").asText()
    Columns.amounts.filter(column => (column.value == Value.Number) == isDouble)
  }

  private def field(event: JsonNode, name: String): Option[JsonNode] = Option(event.get(name)).filterNot(_.isNull)

  private def whole(event: JsonNode, name: String): Long = field(event, name) match {
    case Some(value) if isWhole(value) => value.longValue
    case None                          => refuse("type", s"there is no $name")
    case _                             => refuse("type", s"$name is not ${Value.Whole.called}")
  }

  private def named(event: JsonNode, name: String): String = field(event, name) match {
    case Some(value) if value.isTextual && !value.textValue.isEmpty => value.textValue
    case _                                                          => refuse("type", s"$name is missing, empty, or not a text")
  }

  private def isWhole(value: JsonNode): Boolean = value.isIntegralNumber && value.canConvertToLong

  /** The value of a column; null if the event lacks the field. */
  private def of(event: JsonNode, column: Column): Any = field(event, column.field).fold[Any](null) { value =>
    def wrong = refuse("type", s"${column.field} is not ${column.value.called}")
    def list(each: JsonNode => Any): Seq[Any] = {
      if (!value.isArray) wrong
      var made = Vector.empty[Any]
      value.forEach(one => made :+= each(one))
      made
    }
    column.value match {
      case Value.Text   => if (value.isTextual) value.textValue else wrong
      case Value.Whole  => if (isWhole(value)) value.longValue else wrong
      case Value.Number => if (value.isNumber) value.doubleValue else wrong
      case Value.Flag   => if (value.isBoolean) value.booleanValue else wrong
      case Value.Texts  => list(one => if (one.isTextual) one.textValue else wrong)
      case Value.Wholes => list(one => if (isWhole(one)) one.longValue else wrong)
      case Value.Stages => list { one =>
        val stage = if (one.isObject) one.path("stage") else one
        if (isWhole(stage)) stage.longValue else wrong
      }
    }
  }

  private def refused(record: Record, why: Refused, nowMs: Long): Row = {
    val time: Any = if (record.timeMs < 0) null else record.timeMs
    Row(record.origin, record.position, record.topic, if (record.topic == null) null else record.partition.toLong, time, why.cause, why.getMessage,
      record.key, record.value, nowMs, day(record.timeMs, nowMs))
  }
}
