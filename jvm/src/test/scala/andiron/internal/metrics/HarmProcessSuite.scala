package andiron.internal.metrics

import java.nio.file.{Files, Path}

import andiron.testing.Sparks._
import andiron.AndironConf
import andiron.testing.{MetricsSparks, ShipLogFiles, ShippedEvent, Submitted, SuiteRunner}

import org.junit.runner.RunWith
import org.scalatest.funsuite.AnyFunSuite

/** Real applications of spark-submit while a part of the metrics is missing, full, hangs or panics; and their ends. */
@RunWith(classOf[SuiteRunner])
class HarmProcessSuite extends AnyFunSuite {
  private val Left = HarmJob.Rows - HarmJob.Rows / 10

  private def submit(directory: Path, arguments: Seq[String], environment: Map[String, String] = Map.empty, wrapped: Seq[String] = Nil,
      conf: Seq[(String, String)] = Nil): Submitted =
    Submitted.start(directory, "andiron.internal.metrics.HarmJob", arguments, environment = environment, wrapped = wrapped,
      conf = conf ++ Seq(AndironConf.LogDirectory.key -> directory.resolve("log").toString, AndironConf.MetricsStopTimeout.key -> "2s",
        AndironConf.GateWhenOff.key -> "warn"))

  private def rounds(ran: Submitted): Seq[String] = ran.lines.filter(_.startsWith("@round"))

  private def log(directory: Path): ShipLogFiles = ShipLogFiles.read(ShipLogFiles.folders(directory.resolve("log")).head)

  private def stoppedMillis(ran: Submitted): Long = ran.awaitLine("@stopped ").trim.toLong

  test("the native library is missing: metrics are off and say so, and the job ends as it would") {
    withDirectory { directory =>
      val ran = submit(directory, Seq("rounds", "2"), Map("ANDIRON_NATIVE_PATH" -> "/nowhere/libandiron.so"))
      assert(ran.await() == 0, ran.log)
      assert(rounds(ran) == Seq.fill(2)(s"@round $Left false"))
      assert(ran.log.contains("metrics are off") && ran.log.contains("/nowhere/libandiron.so"), ran.log)
    }
  }

  test("a panic behind each native of the metrics, and behind all at once: every job ends as it would") {
    withDirectory { directory =>
      // The last one is the question about gates and about steps that drop all rows.
      val places = Seq("open", "accumulator", "taskEnds", "event", "stepCell", "judge", "stepFigures", "sentinel", "awaitSentinel",
        "droppedEvents", "flush", "end", "figures", "report", "ask")
      val ran = submit(directory, Seq("natives", directory.resolve("panics").toString, places.mkString(",")),
        Submitted.hooks + ("ANDIRON_TEST_PANICS" -> directory.resolve("panics").toString))
      assert(ran.await() == 0, ran.log)
      val ends = ran.lines.filter(_.startsWith("@place")).map(_.stripPrefix("@place "))
      assert(ends.size == places.size + 1 && ends.forall(_.contains(" 100 ")), ends)
      assert(rounds(ran).size == places.size + 1 && rounds(ran).forall(_.startsWith(s"@round $Left ")), ran.lines)
      assert(ends.count(_.endsWith(" ok ok")) >= 5, ends)
      // judge and report, which are for the user, are below; droppedEvents and figures are called for dropped events and by tests.
      places.filterNot(Seq("judge", "droppedEvents", "figures", "report").contains).foreach(place => assert(ran.log.contains(s"injected behind native $place"), place))
      assert(ends.exists(_.matches("judge 100 \\w*Exception ok")) && ends.exists(_.matches("report 100 ok \\w*Exception")), ends)
    }
  }

  test("a panic behind each native of the sinks: every application starts, its job ends as it would, and so does the application") {
    withDirectory { directory =>
      val places = Seq("checkSinks", "series", "atlasCheck", "atlasStart", "atlasFigures", "atlasStop")
      val ran = submit(directory, Seq("natives", directory.resolve("panics").toString, places.mkString(",")),
        Submitted.hooks + ("ANDIRON_TEST_PANICS" -> directory.resolve("panics").toString),
        conf = Seq("spark.andiron.kafka.bootstrap.servers" -> "127.0.0.1:9", "spark.andiron.atlas.spectatord" -> "udp://127.0.0.1:9", "spark.andiron.atlas.step" -> "1s"))
      assert(ran.await() == 0, ran.log)
      assert(rounds(ran) == Seq.fill(places.size + 1)(s"@round $Left true"), ran.lines)
      assert(ran.lines.count(_.startsWith("@place ")) == places.size + 1 && ran.lines.filter(_.startsWith("@place ")).forall(_.endsWith(" 100 ok ok")), ran.lines)
      // atlasFigures, 1019, is for the user.
      places.filterNot(_ == "atlasFigures").foreach(place => assert(ran.log.contains(s"injected behind native $place"), place))
    }
  }

  test("a full disk: the job ends as it would, in time, and the log says what was lost") {
    withDirectory { directory =>
      val mount = s"mount -t tmpfs -o size=64k,mode=700 tmpfs '${Files.createDirectories(directory.resolve("log"))}'"
      val unshared = Seq(Seq("unshare", "--mount"), Seq("unshare", "--mount", "--user", "--map-root-user")).find { words =>
        try new ProcessBuilder((words ++ Seq("sh", "-c", mount)): _*).start().waitFor() == 0
        catch { case _: java.io.IOException => false }
      }
      val ran = unshared match {
        case Some(words) => submit(directory, Seq("rounds", "12"), wrapped = words ++ Seq("sh", "-c", s"""$mount && exec "$$@"""", "sh"))
        case None =>
          Files.delete(directory.resolve("log"))
          submit(directory, Seq("rounds", "12"), Submitted.hooks + ("ANDIRON_TEST_DISK" -> s"full:${Files.createFile(directory.resolve("full"))}"))
      }
      assert(ran.await() == 0, ran.log)
      assert(rounds(ran) == Seq.fill(12)(s"@round $Left true"), ran.lines)
      assert(ran.log.contains("No space left") && ran.log.contains("could not be closed in order"), ran.log)
      assert(stoppedMillis(ran) < 30000)
    }
  }

  test("a sink that blocks for ever: the application stops in time, its log is whole, and the next start ships it") {
    withDirectory { directory =>
      val sink = Files.createDirectories(directory.resolve("sink"))
      val environment = Submitted.hooks + ("ANDIRON_TEST_SINK" -> sink.toString)
      Files.write(sink.resolve("fault"), "block".getBytes("UTF-8"))
      val blocked = submit(directory, Seq("rounds", "3"), environment)
      assert(blocked.await() == 0, blocked.log)
      assert(rounds(blocked) == Seq.fill(3)(s"@round $Left true"))
      assert(stoppedMillis(blocked) < 20000)
      assert(blocked.log.contains("the next start, or `andiron ship`, ships what these have not had: watched"), blocked.log)
      val whole = log(directory)
      assert(whole.closed && whole.missing == 0 && whole.events.size > 20 && !Files.exists(sink.resolve("taken")))
      val state = whole.latestOf(ShipLogFiles.Health).head.json.path("sinks")
      assert(state.path("embedded").path("sent").asLong() > 0 && state.path("watched").path("sent").asLong() == 0, state)
      assert(state.path("watched").path("behind").asLong() > 0, state)

      Files.delete(sink.resolve("fault"))
      val done = directory.resolve("done")
      val next = submit(directory, Seq("until", done.toString), environment)
      def taken = Submitted.whole(Submitted.text(sink.resolve("taken"))).map(andiron.internal.util.Json.parse)
        .map(n => ShippedEvent(n.path("kind").asInt(), n.path("id").asText(), n.path("revision").asLong(), n.path("body").asText())).toSet
      eventually("the next start has shipped it", seconds = 600)(whole.events.toSet.subsetOf(taken))
      Files.createFile(done)
      assert(next.await() == 0, next.log)
    }
  }

  test("a sink that is down is in the report, with its failure") {
    withDirectory { directory =>
      val sink = Files.createDirectories(directory.resolve("sink"))
      Files.write(sink.resolve("fault"), "retry".getBytes("UTF-8"))
      val environment = Submitted.hooks + ("ANDIRON_TEST_SINK" -> sink.toString)
      val ran = submit(directory, Seq("rounds", "1"), environment)
      assert(ran.await() == 0, ran.log)
      val report = Submitted.andiron(environment, "report", ran.awaitLine("@ready "), "--log-dir", directory.resolve("log").toString)
      assert(report.contains("watched: 0 sent") && report.contains("its last failure: the sink is down") && report.contains("embedded: "), report)
    }
  }

  test("SIGTERM in the middle: the application ends, and its log is closed and has what was flushed") {
    withDirectory { directory =>
      val ran = submit(directory, Seq("until", directory.resolve("never").toString))
      ran.awaitLine("@round")
      ran.terminate()
      assert(ran.await() == 143, ran.log)
      val content = log(directory)
      assert(content.closed && content.latestOf(ShipLogFiles.Application).head.json.has("ended_ms"), ran.log)
      assert(rounds(ran).forall(_.startsWith(s"@round $Left ")))
    }
  }

  for (kind <- Seq("write", "guard"))
    test(s"a gate that fails in a $kind ends spark-submit with a status that is not 0, and one that passes with 0") {
      withDirectory { directory =>
        def run(name: String, limit: String) = {
          val ran = submit(directory.resolve(name), Seq(kind) ++ (if (kind == "write") Seq(directory.resolve(s"$name-output").toString) else Nil) :+ limit)
          (ran.await(), ran)
        }
        val (failed, why) = run("failed", "0.01")
        assert(failed == 1, why.log)
        Seq("GateException", "'gated'", "100 of 1000", "no history of member").foreach(part => assert(why.log.contains(part), why.log))
        val (passed, ran) = run("passed", "0.5")
        assert(passed == 0, ran.log)
        assert(MetricsSparks.files(directory.resolve("failed-output")) == Nil)
        assert(MetricsSparks.files(directory.resolve("passed-output")).contains("_SUCCESS") == (kind == "write"))
      }
    }
}
