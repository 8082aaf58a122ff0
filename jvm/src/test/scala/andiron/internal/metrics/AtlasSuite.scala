package andiron.internal.metrics

import java.net.{InetAddress, InetSocketAddress}
import java.nio.charset.StandardCharsets.UTF_8
import java.util.concurrent.ConcurrentLinkedQueue

import com.fasterxml.jackson.databind.JsonNode
import com.sun.net.httpserver.{HttpExchange, HttpServer}

import andiron.testing.MetricsSparks._
import andiron.testing.Sparks._
import andiron.{AndironConf, SettingException, Step}
import andiron.internal.util.Json
import andiron.testing.SuiteRunner

import org.apache.spark.sql.{Encoders, SparkSession}
import org.junit.runner.RunWith
import org.scalatest.BeforeAndAfterAll
import org.scalatest.funsuite.AnyFunSuite

/** The points that an application publishes to the test's own server; checks/services has a real Atlas. */
@RunWith(classOf[SuiteRunner])
class AtlasSuite extends AnyFunSuite with BeforeAndAfterAll {
  private val bodies = new ConcurrentLinkedQueue[JsonNode]
  private val server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress, 0), 0)

  override def beforeAll(): Unit = {
    server.createContext("/api/v1/publish", (exchange: HttpExchange) => {
      bodies.add(Json.parse(new String(exchange.getRequestBody.readAllBytes(), UTF_8)))
      exchange.sendResponseHeaders(200, -1)
      exchange.close()
    })
    server.start()
  }

  override def afterAll(): Unit = server.stop(0)

  private def uri = AndironConf.AtlasUri.key -> s"http://127.0.0.1:${server.getAddress.getPort}"

  /** The tags and value of the last received point of a series. */
  private def last(name: String): Option[(JsonNode, Double)] = {
    var found = Option.empty[(JsonNode, Double)]
    bodies.forEach(_.path("metrics").forEach { metric =>
      if (metric.path("tags").path("name").asText() == name) found = Some(metric.path("tags") -> metric.path("value").asDouble())
    })
    found
  }

  private def count(spark: SparkSession): Unit = {
    Step(spark, "history").map(spark.range(0, 100, 1, 2)) { n => if (n % 10 == 0) sys.error("lost") else n.longValue }(Encoders.scalaLong).collect()
    ()
  }

  test("a step's figures are published while the application runs") {
    bodies.clear()
    withMetrics("local[2]", uri, AndironConf.AtlasStep.key -> "200ms", AndironConf.AtlasTags.key -> "team=features") { spark =>
      count(spark)
      eventually(s"published: $bodies", 60)(last("andiron.step.dropRatio").exists(_._2 == 0.1))
      val common = bodies.peek().path("tags")
      val expected = Seq("job" -> "andiron-test", "role" -> "driver", "executor" -> "driver", "team" -> "features")
      assert(expected.forall { case (key, value) => common.path(key).asText() == value }, common.toString)
      eventually(s"published: $bodies", 60)(last("andiron.step.in").exists { case (tags, value) => tags.path("step").asText() == "history" && value == 100 })
      eventually("nothing is sent", 60)(Json.parse(AtlasPublisher.running.get.figures).path("sent").asLong() > 0)
    }
  }

  test("an application that is shorter than a step publishes when it ends") {
    bodies.clear()
    withMetrics("local[2]", uri, AndironConf.AtlasStep.key -> "1h")(count)
    eventually(s"published: $bodies", 60)(last("andiron.step.dropped").exists(_._2 == 10))
  }

  test("a setting that cannot be published by stops the application at its start, and is named") {
    Seq(
      Seq(AndironConf.AtlasUri.key -> "https://user:secret@atlas"),
      Seq(AndironConf.AtlasSpectatord.key -> "udp://nowhere"),
      Seq(uri, AndironConf.AtlasSpectatord.key -> "udp://127.0.0.1:1"),
      Seq(uri, AndironConf.AtlasTags.key -> "nf.app=x"),
      Seq(uri, AndironConf.AtlasStep.key -> "soon")).foreach { settings =>
      val e = causeOf[SettingException](intercept[Throwable](withMetrics("local[1]", settings: _*)(_ => ())))
      assert(e.code == 116 && e.getMessage.contains("spark.andiron.atlas.") && !e.getMessage.contains("secret"), e.getMessage)
    }
  }
}
