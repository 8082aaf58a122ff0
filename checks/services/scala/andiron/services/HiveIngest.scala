package andiron.services

import java.nio.charset.StandardCharsets.{ISO_8859_1, UTF_8}
import java.nio.file.{Files, Path, Paths}
import java.time.{Instant, ZoneOffset}

import com.fasterxml.jackson.databind.{JsonNode, ObjectMapper}
import org.apache.spark.sql.{Row, SparkSession}

import andiron.internal.metrics.ReportCommand

/** Checks of `andiron.hive.Ingest` from a real Kafka and real ship logs into a real metastore, with harmful input too. */
private final class HiveIngest(spark: SparkSession, folder: Path, option: Map[String, String]) {
  private val ingests = new Ingests(folder, option)
  private val mapper = new ObjectMapper
  private val now = System.currentTimeMillis()
  private val today = day(now)

  private def day(millis: Long): String = Instant.ofEpochMilli(millis).atOffset(ZoneOffset.UTC).toLocalDate.toString

  private def event(app: String, id: String, kind: String, revision: Long, more: (String, Any)*): (Array[Byte], Array[Byte]) = {
    val node = mapper.createObjectNode().put("event_id", s"$app||$id").put("kind", kind).put("revision", revision).put("v", 1).put("app_id", app)
    node.put("app_attempt", "").put("ts_ms", now)
    more.foreach { case (name, value) => node.set[JsonNode](name, mapper.valueToTree[JsonNode](value)) }
    (s"$app||$id".getBytes(UTF_8), mapper.writeValueAsBytes(node))
  }

  private def metric(app: String, id: String, revision: Long, committed: Long): (Array[Byte], Array[Byte]) =
    event(app, id, "Metric", revision, "source" -> "step", "acc" -> "in", "type" -> "long", "step" -> "s", "committed" -> committed, "exact" -> true)

  private def query(sql: String): Seq[Row] = {
    val tables = Seq("metrics_raw", "failures_raw", "quarantine_raw").flatMap(name => "[a-z_0-9]+\\.".r.findFirstIn(sql).map(_ + name))
    tables.filter(spark.catalog.tableExists(_)).foreach(spark.catalog.refreshTable)
    spark.sql(sql).collect().toSeq
  }

  private def requireRows(sql: String, expected: Row*): Unit = {
    val found = query(sql)
    Check.require(found == expected, s"$sql gives ${found.take(20)}, not $expected")
  }

  private val nasty = "it's \"quoted\" <b>&amp;</b> `x`; DROP TABLE metrics_raw -- \u202e\u0001\ud83d\ude00"

  private def badInput: Seq[(Array[Byte], Array[Byte])] = Seq(
    ("not json".getBytes(UTF_8), "no JSON at all".getBytes(UTF_8)),
    ("cut".getBytes(UTF_8), "{\"event_id\":\"cut\"".getBytes(UTF_8)),
    ("list".getBytes(UTF_8), "[1,2]".getBytes(UTF_8)),
    (Array[Byte](-1, -2, 0), event("bad", "key", "Metric", 1)._2),
    ("latin".getBytes(UTF_8), "{\"event_id\":\"\u00e9\"}".getBytes(ISO_8859_1)),
    ("other".getBytes(UTF_8), event("bad", "another key", "Metric", 1)._2),
    ("tombstone".getBytes(UTF_8), null),
    (null, "{}".getBytes(UTF_8)),
    event("bad", "future", "Metric", 1, "v" -> 2, "shape" -> "new"),
    event("bad", "kind", "Metrics", 1),
    event("bad", "typed", "Metric", 1, "committed" -> "many", "type" -> "long"),
    event("bad", "revision", "Metric", 0))

  private val input = Check("ingest-bad-input") {
    val good = Seq(
      metric("a-1", "s/in|step:x", 3, 30), metric("a-1", "s/in|step:x", 1, 10), metric("a-1", "s/in|step:x", 2, 20), metric("a-1", "s/in|step:x", 3, 30),
      event("a-1", nasty, "Metric", 1, "step" -> nasty, "acc" -> nasty, "source" -> "step", "type" -> "double", "committed" -> 0.5, "later_field" -> nasty),
      event("a-1", "big", "Failure", 1, "step" -> "s", "message" -> "<" * 1000000, "error_class" -> "E", "committed" -> true),
      event("a-1", "ahead", "Health", 1, "ts_ms" -> 253402300799000L), event("a-1", "behind", "Health", 1, "ts_ms" -> 0L),
      event("a-1", "yesterday", "Health", 1, "ts_ms" -> (now - 86400000L)))
    ingests.send("bad-input", good.take(5) ++ badInput ++ good.drop(5))
    val secret = "do-not-print-me"
    val properties = Files.write(folder.resolve("consumer.properties"),
      s"""sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username="u" password="$secret";\nfailOnDataLoss=false\n""".getBytes(UTF_8))
    val arguments = ingests.fromKafka("bad_input", "bad-input", "bad-input-1", "--kafka-properties", properties.toString)
    val text = ingests.run(arguments: _*)
    Check.require(text.contains("done: 8 to metrics_raw, 1 to failures_raw, 12 to quarantine (empty 1, encoding 1, json 3, key 2, kind 1, schema 1, type 3)"), text)
    Check.require(!text.contains(secret), "the secret is in the output")
    requireBadInput(times = 1)
    Check.require(ingests.run(arguments: _*).contains("done: 0 to metrics_raw"), "what the checkpoint has was read again")
    requireBadInput(times = 1)
    // Without its checkpoint the ingest reads all messages again, into existing partitions.
    ingests.run(ingests.fromKafka("bad_input", "bad-input", "bad-input-2"): _*): Unit
    requireBadInput(times = 2)
    Seq("quarantined" -> 12)
  }

  private def requireBadInput(times: Int): Unit = {
    requireRows("SELECT count(*), count(DISTINCT origin, position) FROM bad_input.metrics_raw", Row(8L * times, 8L))
    requireRows("SELECT count(*), count(DISTINCT event_id) FROM bad_input.events", Row(6L, 6L))
    requireRows("SELECT revision, committed, dt FROM bad_input.metrics WHERE app_id = 'a-1' AND event_id = 'a-1||s/in|step:x'", Row(3L, 30L, today))
    requireRows("SELECT step, acc, committed_double, get_json_object(body, '$.later_field') FROM bad_input.metrics WHERE type = 'double'", Row(nasty, nasty, 0.5, nasty))
    requireRows("SELECT length(message), committed FROM bad_input.failures", Row(1000000, true))
    requireRows("SELECT event_id, dt FROM bad_input.health ORDER BY event_id", Row("a-1||ahead", today), Row("a-1||behind", today),
      Row("a-1||yesterday", day(now - 86400000L)))
    requireRows("SELECT cause, count(*) FROM bad_input.quarantine GROUP BY cause ORDER BY cause", Row("empty", 1L), Row("encoding", 1L), Row("json", 3L),
      Row("key", 2L), Row("kind", 1L), Row("schema", 1L), Row("type", 3L))
    requireRows("SELECT topic, kafka_partition, position, hex(record_key) FROM bad_input.quarantine WHERE detail = 'the key is not UTF-8'", Row("bad-input", 0L, 8L, "FFFE00"))
    requireRows("SELECT CAST(record_value AS STRING) FROM bad_input.quarantine WHERE position = 5", Row("no JSON at all"))
  }

  private val killed = Check("ingest-killed") {
    val (ids, revisions, most) = (4000, 5, 1000)
    // Revisions of one event are spread over many batches and out of order.
    val order = new scala.util.Random(7).shuffle((0 until ids * revisions).toVector)
    ingests.send("killed", order.map(n => metric(s"k-${n % ids % 10}", s"s/${n % ids}|step:x", n / ids + 1L, n.toLong)))
    val arguments = ingests.fromKafka("killed", "killed", "killed", "--max-records", most.toString)
    val pauses = Seq("batch 1:" -> 0, "batch 4:" -> 150, "batch 7:" -> 400)
    pauses.foreach { case (line, pause) =>
      val started = ingests.start(arguments: _*)
      started.await(line)
      Thread.sleep(pause)
      started.kill()
    }
    ingests.run(arguments: _*): Unit
    val raw = query("SELECT count(*) FROM killed.metrics_raw").head.getLong(0)
    Check.require(raw >= ids * revisions, s"$raw of ${ids * revisions} revisions")
    requireRows("SELECT count(*), count(DISTINCT event_id), min(revision), max(revision) FROM killed.metrics", Row(ids.toLong, ids.toLong, 5L, 5L))
    requireRows(s"SELECT count(*) FROM killed.metrics WHERE committed % $ids = CAST(regexp_extract(event_id, 's/([0-9]+)', 1) AS INT) AND committed >= ${ids * (revisions - 1)}",
      Row(ids.toLong))
    requireRows("SELECT count(DISTINCT event_id, revision) FROM killed.metrics_raw", Row((ids * revisions).toLong))
    Seq("kills" -> pauses.size, "revisions" -> ids * revisions, "twice in metrics_raw" -> (raw - ids * revisions))
  }

  private val follow = Check("ingest-follow") {
    ingests.send("follow", Seq(metric("f-1", "s/in|step:x", 1, 1)))
    val started = ingests.start(ingests.fromKafka("follow", "follow", "follow", "--follow", "--trigger", "1s"): _*)
    try {
      started.await("batch 0: 1 to metrics_raw")
      ingests.send("follow", Seq(metric("f-1", "s/in|step:x", 2, 2)))
      started.await("batch 1: 1 to metrics_raw")
    } finally started.kill()
    requireRows("SELECT revision, committed FROM follow.metrics", Row(2L, 2L))
  }

  /** The last revision of each event of a log, read by the command `andiron`. */
  private def logged(application: String): Map[String, (Long, String)] = {
    val done = ReportCommand.run(Seq("events", application, "--log-dir", log))
    Check.require(done.status == 0, done.err)
    done.out.split('\n').filter(_.nonEmpty).map(line => mapper.readTree(line) -> line)
      .map { case (node, line) => node.get("event_id").textValue -> (node.get("revision").longValue -> line) }
      .foldLeft(Map.empty[String, (Long, String)])((all, one) => if (all.get(one._1).exists(_._1 > one._2._1)) all else all + one)
  }

  private def log: String = folder.resolve("log").toString
  private val application = spark.sparkContext.applicationId

  private val fromLog = Check("ingest-log") {
    val arguments = Seq("--from", "log", "--log-dir", log, "--database", "logs", "--max-records", "1000")
    val started = ingests.start(arguments: _*)
    started.await("batch 1:")
    started.kill()
    val first = ingests.run(arguments: _*)
    Check.require(first.contains("0 to quarantine"), s"real events are in quarantine: ${query("SELECT cause, detail FROM logs.quarantine").take(5)}")
    val twice = "SELECT event_id, revision FROM logs.metrics_raw GROUP BY event_id, revision HAVING count(*) > 1"
    val before = query(twice).size
    Check.require(before <= 1000, s"$before revisions were written twice by one kill")
    // The log grows during the check, because this application still runs.
    spark.range(1000).repartition(2).count(): Unit
    ingests.run("--from", "log", "--log-dir", s"file://$log", "--database", "logs"): Unit
    Check.require(query(twice).size == before, s"another run has read again: ${query(twice).take(3)}")
    val there = query("SELECT event_id, revision, body FROM logs.events").map(row => row.getString(0) -> (row.getLong(1) -> row.getString(2))).toMap
    val expected = logged(application)
    val late = expected.filter { case (id, last) => !there.get(id).contains(last) }
    Check.require(there.size > 500 && late.size < 40, s"${there.size} events in Hive, ${expected.size} in the log, different: ${late.take(3)}")
    requireRows("SELECT count(*) FROM (SELECT event_id FROM logs.events GROUP BY event_id HAVING count(*) > 1) AS twice", Row(0L))
    Seq("events" -> there.size, "twice in metrics_raw" -> before)
  }

  private val evolution = Check("ingest-schema-grows") {
    spark.sql("CREATE DATABASE grown")
    spark.sql("CREATE TABLE grown.metrics_raw (event_id STRING, kind STRING, revision BIGINT, app_id STRING, app_attempt STRING, ts_ms BIGINT, of_tomorrow STRING, body STRING) " +
      "PARTITIONED BY (dt STRING) STORED AS PARQUET")
    spark.sql(s"INSERT INTO grown.metrics_raw PARTITION (dt = '$today') VALUES ('g-1||old', 'Metric', 1, 'g-1', '', $now, 'x', '{}')")
    spark.sql("CREATE VIEW grown.metrics AS SELECT event_id FROM grown.metrics_raw")
    ingests.send("grown", Seq(metric("g-1", "new", 1, 5), metric("g-1", "old", 2, 6)))
    ingests.run(ingests.fromKafka("grown", "grown", "grown"): _*): Unit
    requireRows("SELECT event_id, revision, committed FROM grown.metrics ORDER BY event_id", Row("g-1||new", 1L, 5L), Row("g-1||old", 2L, 6L))
    requireRows("SELECT of_tomorrow, committed FROM grown.metrics_raw ORDER BY revision, event_id", Row(null, 5L), Row("x", null), Row(null, 6L))
    spark.sql("CREATE DATABASE foreign_one")
    spark.sql("CREATE TABLE foreign_one.metrics_raw (revision STRING) PARTITIONED BY (dt STRING) STORED AS PARQUET")
    val (status, text) = ingests.start(ingests.fromKafka("foreign_one", "grown", "foreign"): _*).ended()
    Check.require(status == 1 && text.contains("column revision of foreign_one.metrics_raw is STRING"), s"exit status $status:\n${text.takeRight(2000)}")
  }

  private val pruning = Check("ingest-pruning") {
    def plan(sql: String): String = spark.sql(sql).queryExecution.executedPlan.toString
    val byApplication = plan(s"SELECT * FROM killed.metrics WHERE app_id = 'k-1'")
    Check.require(byApplication.contains("EqualTo(app_id,k-1)") && byApplication.contains("EqualTo(kind,Metric)"), s"not pushed down: $byApplication")
    val byDay = plan(s"SELECT * FROM killed.metrics_raw WHERE dt = '$today'")
    Check.require(byDay.contains("PartitionFilters: [isnotnull(dt"), s"not pruned: $byDay")
  }

  private val queries = Check("queries") {
    val (good, bad) = (ingests.nightly(500), ingests.nightly(5))
    val text = ingests.run("--from", "log", "--log-dir", ingests.nightlyLog, "--database", "nights")
    Check.require(text.contains(", 0 to quarantine"), text)
    val variables = Map("database" -> "nights", "app" -> bad, "step" -> "history", "counter" -> "dropped", "job" -> "nightly")
    val statements = variables.foldLeft(new String(Files.readAllBytes(Paths.get(option("docs"), "operations/queries.sql")), UTF_8)) { case (text, (name, value)) =>
      text.replace(s"$${$name}", value)
    }.split('\n').filterNot(_.startsWith("--")).mkString("\n").split(';').map(_.trim).filter(_.nonEmpty)
    val answers = statements.map(statement => statement -> query(statement)).toSeq
    def answer(part: String): Seq[Row] = {
      val found = answers.filter(_._1.contains(part))
      Check.require(found.size == 1, s"${found.size} statements have $part")
      found.head._2
    }
    def require(part: String, expected: Row*): Unit = Check.require(answer(part) == expected, s"$part: ${answer(part)}, not $expected")
    // Both applications have ended and the quarantine is empty, so only the queries for these may have no rows.
    val empty = answers.collect { case (statement, rows) if rows.isEmpty => statement }
    Check.require(empty.forall(statement => statement.contains("ended_ms IS NULL") || statement.contains("quarantine")), s"no row: $empty")
    require("min(array_min", Row("history", answer("min(array_min").head.get(1), 1000L, 800L, 200L, 0.2, true))
    require("NOT IN ('in'", Row("history", answer("NOT IN ('in'").head.get(1), "odd", 500L, 500L, true, null))
    Check.require(answer("= 'accumulator'").map(row => (row.getString(0), row.getDouble(3))) == Seq("seen" -> 1000.0), answer("= 'accumulator'").toString)
    Check.require(answer("kept, complete") == Seq(Row("history", 200L, 200L, true)), answer("kept, complete").toString)
    Check.require(answer("ORDER BY f.app_attempt, f.event_id").size == 200, "there are not 200 samples")
    Check.require(answer("ORDER BY samples DESC").map(_.getLong(4)).sum == 200, answer("ORDER BY samples DESC").toString)
    Check.require(answer("ORDER BY passed").map(row => (row.getString(0), row.getBoolean(3), row.getDouble(6))) == Seq(("history", false, 0.2)), answer("ORDER BY passed").toString)
    Check.require(answer("r.started_ms DESC").map(row => (row.getString(0), row.getDouble(5))) == Seq(bad -> 0.2, good -> 0.002), answer("r.started_ms DESC").toString)
    Check.require(answer("NULLS LAST").map(row => (row.getString(0), math.round(row.getDouble(3)))) == Seq("history" -> 100L), answer("NULLS LAST").toString)
    Check.require(answer("log_lines").exists(_.getString(4).contains("the cache is slow")), answer("log_lines").toString)
    Seq("statements" -> statements.length)
  }

  val checks: Seq[Check] = Seq(input, killed, follow, fromLog, evolution, pruning, queries, misuse)

  private def misuse: Check = Check("ingest-misuse") {
    val (status, text) = ingests.start("--from", "kafka", "--bootstrap-servers", "127.0.0.1:1").ended()
    Check.require(status == 2 && text.contains("--checkpoint") && text.contains("--from log --log-dir"), s"exit status $status: $text")
  }
}
