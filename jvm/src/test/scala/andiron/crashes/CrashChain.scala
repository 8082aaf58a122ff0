package andiron.crashes

import java.nio.file.{Files, Path}
import java.util.SplittableRandom

import andiron.testing.ShipLogFiles.{Application, Failure, Metric, Verdict}
import andiron.AndironConf
import andiron.internal.util.Json
import andiron.testing.{ShipLogFiles, ShippedEvent, Submitted}

/** The result of one kill. `acknowledged` is the number of events at the sink before it; the sink gets durable events only. */
final case class CrashPoint(
    layer: String, number: Int, anchor: String, delayMillis: Long, sinkIsDown: Boolean, application: String,
    rounds: Int, acknowledged: Int, read: Int, skippedBytes: Long, missing: Long, lost: Int, duplicates: Int, complaints: Seq[String])

/**
 * Drivers of one run, each killed at a random moment and followed by the next. Their logs are on `layer`: `files`, or `lossy`, which loses
 * unsynced bytes. `seed` chooses the moments, and the times at which the sink is down.
 */
final class CrashChain(directory: Path, val layer: String, val seed: Long) {
  private val random = new SplittableRandom(seed)
  private val log = directory.resolve("log")
  private val sink = Files.createDirectories(directory.resolve("sink"))
  private var logs = Vector.empty[(String, ShipLogFiles)]
  private var seen = 0

  private val environment = Submitted.hooks ++ Map("ANDIRON_TEST_SINK" -> sink.toString) ++
    (if (layer == "lossy") Map("ANDIRON_TEST_DISK" -> s"lossy:${seed & Long.MaxValue}") else Map.empty)

  private val settings = Seq(AndironConf.LogDirectory.key -> log.toString, AndironConf.RunId.key -> "crashes")

  /** Starts a driver, kills it, and examines the log and the sink. */
  def kill(number: Int): CrashPoint = {
    val sinkIsDown = random.nextBoolean()
    if (sinkIsDown) Files.write(sink.resolve("fault"), "retry".getBytes("UTF-8")) else Files.deleteIfExists(sink.resolve("fault"))
    val anchor = if (number == 1) CrashChain.Anchors.last else CrashChain.Anchors(random.nextInt(CrashChain.Anchors.size))
    val delay = random.nextLong(CrashChain.LongestMillis)
    val driver = Submitted.start(directory.resolve(s"driver-$number"), "andiron.crashes.CrashJob", Seq(directory.resolve(s"out-$number").toString), settings, environment)
    driver.awaitLine(anchor)
    Thread.sleep(delay)
    val wasAlive = driver.isAlive
    driver.kill()
    val point = look(number, driver, anchor, delay, sinkIsDown)
    if (wasAlive) point else point.copy(complaints = point.complaints :+ s"the driver had ended: ${driver.log.takeRight(2000)}")
  }

  private def look(number: Int, driver: Submitted, anchor: String, delay: Long, sinkIsDown: Boolean): CrashPoint = {
    val known = logs.map(_._1).toSet
    val made = ShipLogFiles.folders(log).map(_.getFileName.toString).filterNot(known)
    val application = made.headOption.getOrElse("")
    val content = made.headOption.map(name => ShipLogFiles.read(log.resolve(name))).getOrElse(ShipLogFiles(0, Vector.empty, closed = false, 0, 0, 0))
    val expected = logs.reverseIterator.collectFirst { case (name, before) if before.headers > 0 && !before.closed => name }
    made.foreach(name => logs :+= name -> content)
    val flushed = driver.lines.collect(CrashChain.Flushed)
    val report = if (content.headers > 0) Submitted.andiron(environment, "report", application, "--log-dir", log.toString) else ""
    val taken = CrashChain.taken(sink)
    val fresh = taken.drop(seen)
    seen = taken.size
    val lost = fresh.filterNot(event => of(event).exists(_.contains(event)))
    val duplicates = content.events.size - content.events.map(e => (e.id, e.revision)).distinct.size
    val complaints = flushed.flatMap(round => round.complaints(content, report)) ++
      lost.take(3).map(event => s"the sink had ${event.id}, revision ${event.revision}, which the log has not") ++
      (if (made.size > 1) Seq(s"${made.size} new logs") else Nil) ++
      (if (content.closed) Seq("the log of a killed driver is closed") else Nil) ++
      (if (layer == "files" && content.missing > 0) Seq(s"${content.missing} events are missing") else Nil) ++
      (if (report.nonEmpty && !report.toLowerCase.contains("never ended")) Seq(s"the report does not say that it never ended: ${report.take(300)}") else Nil) ++
      predecessor(content, expected)
    CrashPoint(layer, number, anchor.drop(1).trim, delay, sinkIsDown, application, flushed.size, fresh.count(isOf(application, _)),
      content.events.size, content.skipped, content.missing, lost.size, duplicates, complaints)
  }

  private def of(event: ShippedEvent): Option[Set[ShippedEvent]] =
    logs.collectFirst { case (name, content) if isOf(name, event) => content.events.toSet }

  private def isOf(application: String, event: ShippedEvent): Boolean =
    application.nonEmpty && (event.id == application || event.id.startsWith(s"$application|"))

  /** The next start of a run names the previous one, whose report names its successor. */
  private def predecessor(content: ShipLogFiles, expected: Option[String]): Seq[String] =
    content.latestOf(Application).headOption.toSeq.flatMap { event =>
      val named = Option(event.json.path("predecessor").asText("")).filter(_.nonEmpty)
      val of = expected.map(name => Submitted.andiron(environment, "report", name, "--log-dir", log.toString))
      (if (named == expected) Nil else Seq(s"the predecessor is $named, not $expected")) ++
        of.filterNot(_.contains(s"The run crashes went on as ${event.id}")).map(report => s"the report of $expected does not name its successor: ${report.take(300)}")
    }

  /** `andiron ship`, and again: the sink then has every event of every log under its id, and the second has nothing to do. */
  def ship(): Seq[String] = {
    Files.deleteIfExists(sink.resolve("fault"))
    Submitted.andiron(environment, "ship", "--log-dir", log.toString)
    val first = CrashChain.taken(sink)
    Submitted.andiron(environment, "ship", "--log-dir", log.toString)
    val all = logs.flatMap(_._2.events).toSet
    val has = first.toSet
    (all -- has).take(3).toSeq.map(event => s"the sink has never had ${event.id}, revision ${event.revision}") ++
      (has -- all).take(3).map(event => s"the sink has ${event.id}, revision ${event.revision}, which no log has") ++
      (if (CrashChain.taken(sink).size == first.size) Nil else Seq("what was shipped was shipped again"))
  }

  /** Events that the sink has had, and how many of these more than once. */
  def shipped: (Int, Int) = {
    val taken = CrashChain.taken(sink)
    (taken.distinct.size, taken.size - taken.distinct.size)
  }
}

object CrashChain {
  private val LongestMillis = 3000L

  /** Lines of the driver's after which the clock runs: in the middle of its start, of its first round, of the rounds after it. */
  private val Anchors = Seq("@main", "@ready") ++ Seq.fill(6)("@flushed 1 ")

  private def taken(sink: Path): Vector[ShippedEvent] = Submitted.whole(Submitted.text(sink.resolve("taken"))).flatMap { line =>
    // The last line of a killed process may be cut, and the next one's follows it at once.
    val whole = line.drop(math.max(0, line.lastIndexOf("{\"body\":")))
    val node = try Some(Json.parse(whole)) catch { case _: java.io.IOException => None }
    node.map(n => ShippedEvent(n.path("kind").asInt(), n.path("id").asText(), n.path("revision").asLong(), n.path("body").asText()))
  }.toVector

  /** A line of the driver's: it has made the round's figures durable. */
  private val Flushed: PartialFunction[String, Round] = Function.unlift { (line: String) =>
    line.split(' ') match {
      case Array("@flushed", number, in, out, dropped, passed) => Some(Round(number.toInt, in.toLong, out.toLong, dropped.toLong, passed.toBoolean))
      case _                                                   => None
    }
  }
}

/** The line that a driver prints for a round after the round is durable. */
private final case class Round(number: Int, in: Long, out: Long, dropped: Long, passed: Boolean) {
  private val step = s"round-$number"

  /** The parts of the round that the log or the report lacks. */
  def complaints(log: ShipLogFiles, report: String): Seq[String] = {
    val truth = CrashJob.dropped(number)
    val figures = log.latestOf(Metric).map(_.json).filter(_.path("step").asText() == step).map { node =>
      node.path("acc").asText() -> (if (node.path("exact").asBoolean()) node.path("committed").asLong(-1) else -1L)
    }
    val failures = log.latestOf(Failure).map(_.json).filter(_.path("step").asText() == step)
    val (summaries, samples) = failures.partition(_.has("seen"))
    val verdicts = log.latestOf(Verdict).map(_.json).filter(_.path("step").asText() == step).map(_.path("passed").asBoolean())
    val line = report.split('\n').map(_.trim.split(" +").toSeq).find(_.headOption.contains(step)).map(_.slice(1, 4).map(_.replace(",", "")))
    Seq(
      "figures" -> (figures.toMap == Map("in" -> in, "out" -> out, "dropped" -> dropped) && figures.size == 3),
      "truth" -> (in == CrashJob.Rows && dropped == truth && out == CrashJob.Rows - truth && passed != CrashJob.isRefused(number)),
      "samples" -> (samples.size == dropped && samples.map(_.path("row_key").asText()).distinct.size == dropped),
      "summary" -> (summaries.map(_.path("seen").asLong()) == Seq(dropped)),
      "verdict" -> (verdicts == Seq(passed)),
      "report" -> line.contains(Seq(in, out, dropped).map(_.toString))).collect { case (what, false) =>
      s"round $number: the $what differ: told $in, $out, $dropped, $passed; logged $figures, ${samples.size} samples, $verdicts; reported $line"
    }
  }
}
