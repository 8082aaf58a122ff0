package andiron.internal.metrics

import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.{Files, Path, Paths}

import org.apache.spark.sql.SparkSession

/** The outcomes of this run of the suites, group by group in the order of their scenarios. */
object Outcomes {
  private var all = Vector.empty[Outcome]
  private var version = ""
  private val Groups = Seq("again", "caches", "parts", "kinds", "cluster")

  def note(spark: SparkSession, outcome: Outcome): Outcome = synchronized {
    version = spark.version
    all = all.filterNot(_.scenario == outcome.scenario) :+ outcome
    outcome
  }

  /** Writes build/exactness.json, as far as scenarios have run. */
  def write(): Unit = synchronized {
    val to = project.resolve("build/exactness.json")
    Files.createDirectories(to.getParent)
    Files.write(to, Outcome.text(all.sortBy(outcome => Groups.indexOf(outcome.group)), version).getBytes(UTF_8))
    println(s"wrote ${all.size} scenarios to $to")
  }

  def project: Path =
    Iterator.iterate(Paths.get("").toAbsolutePath)(_.getParent).takeWhile(_ != null).find(d => Files.exists(d.resolve("settings.gradle"))).get
}
