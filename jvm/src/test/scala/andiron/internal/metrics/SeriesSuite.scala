package andiron.internal.metrics

import java.io.{BufferedReader, InputStreamReader}
import java.lang.management.ManagementFactory
import java.net.{InetAddress, ServerSocket, URI}
import java.net.http.{HttpClient, HttpRequest, HttpResponse}
import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.{Files, Path, Paths}
import javax.management.ObjectName

import scala.util.Try

import andiron._
import andiron.testing.MetricsSparks._
import andiron.testing.Sparks._
import andiron.internal.boundary.NativeMetrics
import andiron.internal.util.Json
import andiron.testing.SuiteRunner

import org.apache.spark.sql.{Encoders, SparkSession}
import org.apache.spark.sql.functions.lit
import org.junit.runner.RunWith
import org.scalatest.BeforeAndAfterAll
import org.scalatest.funsuite.AnyFunSuite

/** The series of steps, gates, log and sinks where operators already look: the Prometheus servlet, JMX, Graphite, and the dashboard over them. */
@RunWith(classOf[SuiteRunner])
class SeriesSuite extends AnyFunSuite with BeforeAndAfterAll {
  private val directory = Files.createTempDirectory("series")
  private val graphite = new ServerSocket(0, 50, InetAddress.getLoopbackAddress)
  private val received = new java.util.concurrent.ConcurrentLinkedQueue[String]
  private var spark: SparkSession = _

  override def beforeAll(): Unit = {
    val listener = new Thread(() => Try(while (true) {
      val connection = graphite.accept()
      new Thread(() => Try(read(connection.getInputStream)): Unit).start()
    }): Unit)
    listener.setDaemon(true)
    listener.start()
    val sinks = Seq(
      "prometheusServlet.class" -> "org.apache.spark.metrics.sink.PrometheusServlet", "prometheusServlet.path" -> "/metrics/prometheus",
      "jmx.class" -> "org.apache.spark.metrics.sink.JmxSink",
      "graphite.class" -> "org.apache.spark.metrics.sink.GraphiteSink", "graphite.host" -> "127.0.0.1",
      "graphite.port" -> graphite.getLocalPort.toString, "graphite.period" -> "1", "graphite.unit" -> "seconds")
    spark = start("local[2]", settings(directory) ++ Seq("spark.ui.enabled" -> "true", "spark.ui.port" -> "0") ++
      sinks.map { case (key, value) => s"spark.metrics.conf.*.sink.$key" -> value }: _*)
    val step = Step(spark, SeriesSuite.StepName)
    Andiron.guard(Gate(step, maxDropRatio = 0.5)) {
      step.map(spark.range(0, 100, 1, 2)) { n => if (n % 10 == 0) sys.error("lost") else n.longValue }(Encoders.scalaLong).collect()
    }
    val catalog = VersionedData.catalog(spark, "series", Seq(Version("v", source(directory, "v", "x"))), Loader.bytes)
    spark.range(2).mapWithVersion(catalog, lit("v"))((_, bytes: Bytes) => bytes.size)(Encoders.scalaLong).collect()
  }

  override def afterAll(): Unit = {
    stop(spark)
    graphite.close()
    delete(directory)
  }

  private def read(in: java.io.InputStream): Unit = {
    val reader = new BufferedReader(new InputStreamReader(in, UTF_8))
    Iterator.continually(reader.readLine()).takeWhile(_ != null).foreach(received.add)
  }

  private def document(name: String): Path = Iterator.iterate(Paths.get("").toAbsolutePath)(_.getParent).takeWhile(_ != null)
    .find(directory => Files.exists(directory.resolve("settings.gradle"))).getOrElse(fail("tests run in a directory of the project"))
    .resolve("docs").resolve(name)

  private def text(name: String): String = new String(Files.readAllBytes(document(name)), UTF_8)

  private def servlet: Seq[String] = {
    val request = HttpRequest.newBuilder(URI.create(s"${spark.sparkContext.uiWebUrl.get}/metrics/prometheus/")).build()
    val client = HttpClient.newBuilder().followRedirects(HttpClient.Redirect.NORMAL).build()
    client.send(request, HttpResponse.BodyHandlers.ofString()).body.linesIterator.toSeq
  }

  private val prefix = "plugin.andiron.AndironPlugin"

  /** The expected figures of the work of `beforeAll`, by their names in Spark's metrics system. */
  private val expected = Map(
    "step.odd_step.in" -> 100.0, "step.odd_step.out" -> 90.0, "step.odd_step.dropped" -> 10.0, "step.odd_step.dropRatio" -> 0.1,
    "step.odd_step.attempted" -> 100.0, "gate.odd_step.guard.passed" -> 1.0, "gate.odd_step.guard.ratio" -> 0.1,
    "gate.odd_step.guard.limitRatio" -> 0.5, "gate.odd_step.guard.failed" -> 0.0)

  test("the Prometheus servlet has them") {
    val lines = servlet
    expected.foreach { case (name, value) =>
      val shown = s"metrics_\\w+_driver_${prefix.replace('.', '_')}_${name.replace('.', '_')}_Value\\{type=.gauges.\\} $value"
      assert(lines.exists(_.matches(shown)), s"$shown in:\n${lines.mkString("\n")}")
    }
  }

  test("JMX has them") {
    val server = ManagementFactory.getPlatformMBeanServer
    expected.foreach { case (name, value) =>
      val found = server.queryNames(new ObjectName(s"metrics:name=*.driver.$prefix.$name,*"), null)
      assert(found.size == 1, s"$name: $found")
      assert(server.getAttribute(found.iterator.next(), "Value") == value, name)
    }
  }

  test("Graphite gets them") {
    eventually(s"all of ${expected.keys.mkString(", ")} in ${received.size} lines", 60) {
      expected.forall { case (name, value) =>
        received.stream.anyMatch { line =>
          val words = line.split(' ')
          words(0).endsWith(s".driver.$prefix.$name") && Try(words(1).toDouble).toOption.exists(shown => math.abs(shown - value) < 0.005)
        }
      }
    }
  }

  private val own = Set("andiron.atlas.points", "andiron.atlas.seriesLeftOut")

  test("docs/guide/figures.md has one row for each series, and no other") {
    val metrics = MetricsApplication.of(spark.sparkContext).getOrElse(fail("metrics are off"))
    var names = own
    Json.parse(NativeMetrics.series(metrics.handle)).forEach(series => names += series.path("name").asText())
    val documented = "(?m)^\\| `(andiron\\.[\\w.]+)` \\| (?:gauge|counter), ".r.findAllMatchIn(text("guide/figures.md")).map(_.group(1)).toSeq
    assert(documented.distinct == documented, "series with several rows")
    assert(documented.toSet == names)
  }

  test("every query of the dashboard finds what there is") {
    val names = servlet.map(_.takeWhile(_ != '{')).toSet
    var queries = 0
    Json.parse(text("operations/grafana/andiron.json")).path("panels").forEach(_.path("targets").forEach { target =>
      val expression = target.path("expr").asText()
      val asked = "__name__=~\"([^\"]+)\"".r.findAllMatchIn(expression).map(_.group(1)).toSeq
      assert(asked.nonEmpty, expression)
      asked.foreach(name => assert(names.exists(_.matches(name)), s"nothing is called $name"))
      queries += 1
    })
    assert(queries >= 12)
  }

  test("a dot in a tag is no level of the name") {
    assert(SeriesGauges.name("andiron.step.in", Seq("a.b c/ü")) == "step.a_b_c__.in")
    assert(SeriesGauges.name("andiron.listener.events", Nil) == "listener.events")
  }
}

object SeriesSuite {
  val StepName = "odd step"
}
