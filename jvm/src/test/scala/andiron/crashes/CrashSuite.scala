package andiron.crashes

import java.nio.file.Files
import java.util.concurrent.ThreadLocalRandom

import andiron.testing.Sparks._
import andiron.AndironConf
import andiron.testing.{ShipLogFiles, ShippedEvent, Submitted, SuiteRunner}

import org.junit.runner.RunWith
import org.scalatest.funsuite.AnyFunSuite

/** Drivers that are killed; `make check-crashes` does more of it. */
@RunWith(classOf[SuiteRunner])
class CrashSuite extends AnyFunSuite {

  for ((layer, kills) <- Seq("files" -> 2, "lossy" -> 2))
    test(s"what was acknowledged survives kill -9 on $layer, and is shipped afterwards") {
      withDirectory { directory =>
        val seed = ThreadLocalRandom.current().nextLong()
        val (points, complaints) = Crashes.run(new CrashChain(directory, layer, seed), kills)
        assert(points.flatMap(_.complaints) ++ complaints == Nil, s"seed $seed")
        // The first is killed after a round was durable; whether the sink has had any of it is the seed's choice.
        assert(points.head.rounds > 0 && points.head.read > points.head.rounds, points)
        assert(points.forall(point => point.lost == 0 && point.duplicates == 0), s"seed $seed: $points")
      }
    }

  test("the next start ships what a killed driver's sink has not had, under the same ids") {
    withDirectory { directory =>
      val (sink, log) = (Files.createDirectories(directory.resolve("sink")), directory.resolve("log"))
      val environment = Submitted.hooks + ("ANDIRON_TEST_SINK" -> sink.toString)
      val settings = Seq(AndironConf.LogDirectory.key -> log.toString, AndironConf.RunId.key -> "replay")
      def start(name: String, rounds: Option[Int]) =
        Submitted.start(directory.resolve(name), "andiron.crashes.CrashJob", directory.resolve("out").toString +: rounds.map(_.toString).toSeq, settings, environment)
      def taken = Submitted.whole(Submitted.text(sink.resolve("taken"))).map(andiron.internal.util.Json.parse)
        .map(n => ShippedEvent(n.path("kind").asInt(), n.path("id").asText(), n.path("revision").asLong(), n.path("body").asText()))

      Files.write(sink.resolve("fault"), "retry".getBytes("UTF-8"))
      val killed = start("killed", None)
      killed.awaitLine("@flushed 2")
      killed.kill()
      val owed = ShipLogFiles.read(ShipLogFiles.folders(log).head).events
      assert(owed.size > 20 && taken.isEmpty)

      Files.delete(sink.resolve("fault"))
      val next = start("next", None)
      eventually("the next start has shipped what was owed", seconds = 600)(owed.toSet.subsetOf(taken.toSet))
      next.kill()
      assert(taken.distinct.map(e => (e.id, e.revision)).distinct.size == taken.distinct.size, "one content for each id and revision")
      val last = start("last", Some(1))
      assert(last.await() == 0, last.log)
    }
  }
}
