package andiron

import java.net.URI
import java.net.http.{HttpClient, HttpRequest, HttpResponse}
import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.{Files, Path, Paths}

import andiron.testing.Sparks._
import andiron.internal.cache.CacheStats
import andiron.testing.SuiteRunner

import org.apache.spark.sql.SparkSession
import org.junit.runner.RunWith
import org.scalatest.BeforeAndAfterAll
import org.scalatest.funsuite.AnyFunSuite

/** docs/guide/figures.md against the figures that there are, by their names in `Andiron.cacheStats` and in Spark's metrics. */
@RunWith(classOf[SuiteRunner])
class FiguresSuite extends AnyFunSuite with BeforeAndAfterAll {
  private var spark: SparkSession = _

  override def beforeAll(): Unit = {
    val servlet = "spark.metrics.conf.*.sink.prometheusServlet"
    spark = start("local[1]", "spark.plugins" -> "andiron.AndironPlugin", "spark.ui.enabled" -> "true", "spark.ui.port" -> "0",
      s"$servlet.class" -> "org.apache.spark.metrics.sink.PrometheusServlet", s"$servlet.path" -> "/metrics/prometheus")
  }

  override def afterAll(): Unit = stop(spark)

  private def page: Path = Iterator.iterate(Paths.get("").toAbsolutePath)(_.getParent).takeWhile(_ != null)
    .find(directory => Files.exists(directory.resolve("settings.gradle"))).getOrElse(fail("tests run in a directory of the project"))
    .resolve("docs/guide/figures.md")

  /** The cells of every row that defines a figure; series are SeriesSuite's. */
  private def rows: Seq[Seq[String]] =
    new String(Files.readAllBytes(page), UTF_8).split('\n').toSeq.filter(line => line.startsWith("| `") && !line.startsWith("| `andiron.")).map(_.stripPrefix("|").stripSuffix("|").split('|').map(_.trim).toSeq)

  private def useTheCache(): Unit = withDirectory { directory =>
    val catalog = VersionedData.catalog(spark, "figures", Seq(Version("v", source(directory, "v", "x"))), Loader.bytes)
    catalog.lease("v").close()
    catalog.close()
  }

  test("docs/guide/figures.md has one row for each figure, and no other") {
    useTheCache()
    val documented = rows.map(_.head.stripPrefix("`").stripSuffix("`"))
    assert(documented.distinct == documented, "figures with several rows")
    val all = stats(spark).figures.keySet
    assert((all -- documented).isEmpty, "figures without a row in docs/guide/figures.md")
    assert((documented.toSet -- all).isEmpty, "rows of docs/guide/figures.md without a figure")
  }

  test("every row has a kind with its unit, and says what the figure is") {
    rows.foreach { cells =>
      assert(cells.size >= 3 && cells(1).matches("(gauge|maximum|counter), [a-z]+") && cells(2).endsWith("."), cells)
    }
  }

  test("the library's figures are in the Prometheus servlet by the names that the page gives") {
    useTheCache()
    val request = HttpRequest.newBuilder(URI.create(s"${spark.sparkContext.uiWebUrl.get}/metrics/prometheus/")).build()
    val client = HttpClient.newBuilder().followRedirects(HttpClient.Redirect.NORMAL).build()
    def shown: String = client.send(request, HttpResponse.BodyHandlers.ofString()).body
    assert(stats(spark)("loads") > 0 && stats(spark)("budgetBytes") > 0)
    def missing: Seq[String] = {
      val lines = shown.linesIterator.toSeq
      // Mappings left by other tests are still released while this test runs.
      val figures = stats(spark)
      // Spark registers a local executor's gauges before the application has an id.
      CacheStats.names.map(name => s"""metrics_(\\w+_driver_)?plugin_andiron_AndironPlugin_cache_${name}_Value\\{type="gauges"} ${figures(name)}""")
        .filterNot(line => lines.exists(_.matches(line)))
    }
    eventually(s"${missing.mkString(", ")} in:\n$shown")(missing.isEmpty)
    val text = shown
    val own = stats(spark).figures.keySet -- CacheStats.names
    own.foreach(name => assert(!text.contains(s"_cache_${name}_"), s"$name is in Spark's metrics; docs/guide/figures.md says that it is not"))
  }
}
