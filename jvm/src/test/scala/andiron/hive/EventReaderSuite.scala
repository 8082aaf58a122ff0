package andiron.hive

import java.nio.charset.StandardCharsets.{ISO_8859_1, UTF_8}
import java.time.Instant

import org.apache.spark.sql.Row
import org.junit.runner.RunWith
import org.scalatest.funsuite.AnyFunSuite

import andiron.testing.SuiteRunner

@RunWith(classOf[SuiteRunner])
class EventReaderSuite extends AnyFunSuite {
  private val now = Instant.parse("2026-11-28T12:00:00Z").toEpochMilli
  private val head = s""""event_id":"app-1||in","revision":3,"v":1,"app_id":"app-1","app_attempt":"","ts_ms":$now"""

  private def record(value: String, key: Array[Byte] = null): Record = Record("t", 2, 9, now, key, if (value == null) null else value.getBytes(UTF_8))
  private def read(value: String): Placed = EventReader.read(record(value), now)
  private def metric(more: String): Placed = read(s"""{$head,"kind":"Metric"$more}""")

  private def cells(placed: Placed): Map[String, Any] = {
    val table = Tables.all.find(_.name == placed.table).getOrElse(fail(placed.table))
    assert(placed.row.length == table.schema.length)
    table.schema.fieldNames.zip(placed.row.toSeq).toMap
  }

  private def refused(placed: Placed, cause: String, detail: String = ""): Map[String, Any] = {
    assert(placed.table == "quarantine_raw" && placed.cause == cause, placed)
    val row = cells(placed)
    assert(row("cause") == cause && row("detail").toString.contains(detail), row)
    row
  }

  test("an event becomes a row with its columns, its place and its body as it came") {
    val body = s"""{$head,"kind":"Metric","source":"step","acc":"in","type":"long","step":"a\\"<b>'\\u0000","committed":${Long.MaxValue},"attempted":-1,""" +
      """"exact":true,"final":false,"stages":[{"stage":4,"attempt":0},{"stage":7,"attempt":1}],"plan_nodes":[1,2],"instance":null,"new_field":{"a":[1]}}"""
    val row = cells(read(body))
    assert(row("step") == "a\"<b>'\u0000" && row("committed") == Long.MaxValue && row("attempted") == -1L && row("committed_double") == null)
    assert(row("exact") == true && row("is_final") == false && row("stage_ids") == Seq(4L, 7L) && row("plan_nodes") == Seq(1L, 2L) && row("instance") == null)
    assert(row("body") == body && row("origin") == "kafka:t/2" && row("position") == 9L && row("dt") == "2026-11-28" && row("kind") == "Metric")
  }

  test("figures of double counters have columns of their own") {
    val row = cells(metric(""","type":"double","committed":0.5,"attempted":1"""))
    assert(row("committed") == null && row("committed_double") == 0.5 && row("attempted_double") == 1.0)
    refused(metric(""","type":"long","committed":0.5"""), "type", "committed")
  }

  test("every kind has its table, and no more than its own columns") {
    Columns.byKind.keys.foreach { kind =>
      val row = cells(read(s"""{$head,"kind":"$kind","stage":5,"stages":[5],"step":"s","committed":${if (kind == "Failure") "true" else "1"}}"""))
      assert(row("kind") == kind && row("revision") == 3L)
    }
    assert(read(s"""{$head,"kind":"LogLine"}""").table == "failures_raw" && read(s"""{$head,"kind":"Health"}""").table == "metrics_raw")
    assert(cells(read(s"""{$head,"kind":"Job","stages":[1,2]}"""))("stage_ids") == Seq(1L, 2L))
  }

  test("what is no event goes to quarantine, with its cause and as it came") {
    Seq("", "no", "[]", "1", "null", "{", "{}{}", s"{$head", "{\"a\":1,\"a\":2}", "{\"a\":NaN}", "\u0000").foreach(text => refused(read(text), "json"))
    refused(read("{}"), "type", "v")
    refused(read(s"{$head}"), "type", "kind")
    refused(read(s"""{$head,"kind":"Metrics"}"""), "kind", "Metrics")
    refused(read(null), "empty")
    Seq("event_id", "app_id", "revision", "ts_ms", "v").foreach { name =>
      val without = s"""{$head,"kind":"Metric"}""".replace(s""""$name":""", s""""no_$name":""")
      refused(read(without), "type", name)
      refused(read(s"""{$head,"kind":"Metric"}""".replaceFirst(s""""$name":("[^"]*"|\\d+)""", s""""$name":{}""")), "type", name)
    }
    Seq("0", "-1", "1.5", "1e3", "99999999999999999999").foreach(revision =>
      refused(read(s"""{$head,"kind":"Metric"}""".replace("\"revision\":3", s""""revision":$revision""")), "type", "revision"))
    Seq(""","step":1""", ""","exact":"yes"""", ""","plan_nodes":{}""", ""","plan_nodes":["a"]""", ""","stages":[{}]""", ""","instance":1e30""")
      .foreach(more => refused(metric(more), "type"))
    val bytes = "{\"a\":\"\u00e9\"}".getBytes(ISO_8859_1)
    val kept = refused(EventReader.read(Record("t", 2, 9, now, Array[Byte](1), bytes), now), "encoding")
    assert(kept("record_value").asInstanceOf[Array[Byte]].sameElements(bytes) && kept("kafka_partition") == 2L && kept("position") == 9L && kept("topic") == "t")
  }

  test("an event of a later schema waits in quarantine for a release that knows it") {
    refused(read(s"""{$head,"kind":"Metric"}""".replace("\"v\":1", "\"v\":2")), "schema", "2")
    refused(read(s"""{$head,"kind":"Metric"}""".replace("\"v\":1", "\"v\":\"1\"")), "type", "v")
  }

  test("a key is the event's id in UTF-8, or is not there") {
    val event = s"""{$head,"kind":"Health"}"""
    assert(EventReader.read(record(event, "app-1||in".getBytes(UTF_8)), now).cause == "")
    refused(EventReader.read(record(event, "app-2".getBytes(UTF_8)), now), "key")
    refused(EventReader.read(record(event, Array[Byte](-1, -2)), now), "key", "UTF-8")
    assert(EventReader.read(Record(null, 0, 5, -1, null, event.getBytes(UTF_8)), now).row.getAs[String](7) == "log")
  }

  test("the day is that of the event in UTC; a clock that is wrong gets the day of the ingest") {
    def day(text: String): String = EventReader.day(Instant.parse(text).toEpochMilli, now)
    assert(day("2026-11-27T23:59:59.999Z") == "2026-11-27" && day("2026-11-28T00:00:00Z") == "2026-11-28" && day("2020-01-01T00:00:00Z") == "2020-01-01")
    assert(day("2026-11-29T11:59:59Z") == "2026-11-29")
    Seq("2026-11-29T12:00:00Z", "2019-12-31T23:59:59Z", "1970-01-01T00:00:00Z", "9999-12-31T00:00:00Z").foreach(time => assert(day(time) == "2026-11-28", time))
    Seq(Long.MaxValue, Long.MinValue, -1L).foreach(time => assert(EventReader.day(time, now) == "2026-11-28"))
    val skewed = cells(read(s"""{$head,"kind":"Health"}""".replace(now.toString, "253402300799000")))
    assert(skewed("ts_ms") == 253402300799000L && skewed("dt") == "2026-11-28")
  }

  test("a megabyte of text is kept as it is") {
    val long = "<" * 1000000
    val row = cells(read(s"""{$head,"kind":"Failure","message":"$long"}"""))
    assert(row("message") == long && row("body").asInstanceOf[String].length > 1000000)
    assert(Row(row("event_id")) == Row("app-1||in"))
  }
}
