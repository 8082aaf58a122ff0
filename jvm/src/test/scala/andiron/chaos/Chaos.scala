package andiron.chaos

import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.{Files, Path}
import java.util.concurrent.ThreadLocalRandom

import com.fasterxml.jackson.databind.{JsonNode, ObjectMapper, SerializationFeature}

import org.apache.spark.deploy.TwoHosts

import andiron.internal.metrics.Outcomes
import andiron.testing.{MetricsSparks, Sparks}

/**
 * `make check-chaos`: random pipelines under faults, and their figures. Writes build/chaos.json. CHAOS_SEEDS is the number of
 * pipelines (10), CHAOS_SEED the seed of the first one; the same seeds repeat a campaign.
 */
object Chaos {
  private val mapper = new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT)
  private val Kills = 8

  def main(arguments: Array[String]): Unit = {
    val seeds = sys.env.get("CHAOS_SEEDS").fold(10)(_.toInt)
    val first = sys.env.get("CHAOS_SEED").fold(ThreadLocalRandom.current().nextLong(1000000))(_.toLong)
    val node = mapper.createObjectNode()
    val file = Outcomes.project.resolve("build/chaos.json")
    val all = node.putArray("seeds")
    var complaints = 0
    for (number <- 0 until seeds) {
      val (seed, isSpeculative, isAdaptive) = (first + number, number % 2 == 1, number % 4 < 2)
      val (begun, tally) = (System.nanoTime(), new Tally)
      println(s"seed $seed: speculation ${word(isSpeculative)}, adaptive execution ${word(isAdaptive)}")
      node.put("spark", run(seed, isSpeculative, isAdaptive, tally)).put("commit", commit)
      val one = all.addObject().put("seed", seed).put("speculation", isSpeculative).put("adaptive", isAdaptive)
      tally.all.foreach { case (name, n) => one.put(name, n) }
      one.put("seconds", (System.nanoTime() - begun) / 1000000000L)
      val told = one.putArray("complaints")
      tally.complaints.foreach { text =>
        told.add(text)
        System.err.println(s"chaos: seed $seed: $text")
      }
      complaints += tally.complaints.size
      println(s"seed $seed: ${one.path("seconds").asLong()} s, ${tally.all.map { case (name, n) => s"$name $n" }.mkString(", ")}")
      // Written after each seed, so that results survive a failure of the next one.
      Files.write(Files.createDirectories(file.getParent).resolve(file.getFileName), (mapper.writeValueAsString(node) + "\n").getBytes(UTF_8))
    }
    println(s"$seeds seeds, build/chaos.json, $complaints complaints")
    if (complaints > 0) sys.exit(1)
  }

  private def word(is: Boolean): String = if (is) "on" else "off"

  private def commit: String =
    try {
      val git = new ProcessBuilder("git", "describe", "--always", "--dirty", "--exclude=*").directory(Outcomes.project.toFile).start()
      new String(git.getInputStream.readAllBytes(), UTF_8).trim
    } catch { case _: java.io.IOException => "" }

  /** Copies start only on another host; the executors of local-cluster share one. */
  private def run(seed: Long, isSpeculative: Boolean, isAdaptive: Boolean, tally: Tally): String = Sparks.withDirectory { directory =>
    val hosts = if (isSpeculative) Some(new TwoHosts) else None
    val local = Files.createDirectory(directory.resolve("local"))
    val conf = Seq(
      "spark.local.dir" -> local.toString, "spark.executor.memory" -> "512m", "spark.executor.cores" -> "2", "spark.task.maxFailures" -> "20",
      "spark.stage.maxConsecutiveAttempts" -> "20", "spark.locality.wait" -> "0", "spark.sql.adaptive.enabled" -> isAdaptive.toString,
      "spark.executor.extraClassPath" -> sys.props("andiron.test.executorClassPath"), "spark.executor.extraJavaOptions" -> "-XX:+UseSerialGC",
      "spark.speculation" -> isSpeculative.toString, "spark.speculation.interval" -> "100ms", "spark.speculation.multiplier" -> "1.2",
      "spark.speculation.quantile" -> "0.5", "spark.speculation.minTaskRuntime" -> "300ms", "spark.shuffle.io.maxRetries" -> "1",
      "spark.shuffle.io.retryWait" -> "200ms", "spark.worker.cleanup.enabled" -> "false")
    try MetricsSparks.withMetrics(hosts.fold("local-cluster[2,2,1024]")(_.url), conf: _*) { spark =>
      spark.sparkContext.setCheckpointDir(directory.resolve("checkpoints").toString)
      Sparks.eventually("two executors", seconds = 120)(spark.sparkContext.statusTracker.getExecutorInfos.length == 3)
      val chaos = new ChaosRun(spark, directory, seed, isSpeculative, tally)
      val faults = new ChaosFaults(spark, directory, seed, Kills, tally)
      faults.start()
      try chaos.run()
      finally faults.close()
      chaos.check()
      spark.version
    }
    finally hosts.foreach(_.stop())
  }

  /** The text of docs/evidence/chaos.md. */
  def markdown(json: JsonNode): String = {
    var seeds = Vector.empty[JsonNode]
    json.path("seeds").forEach(seed => seeds :+= seed)
    def sum(name: String): Long = seeds.map(_.path(name).asLong()).sum
    def row(cells: Seq[Any]): String = cells.mkString("| ", " | ", " |\n")
    val faults = Seq("stages", "tasks", "executors_killed", "tasks_failed", "fetch_failures", "resubmitted", "files_deleted", "blocks_removed", "later_attempts",
      "speculative_copies", "jobs_failed")
    val figures = Seq("named", "named_exact", "named_flagged", "named_unseen", "named_wrong", "spark_wrong", "steps", "steps_exact", "steps_flagged", "steps_wrong",
      "writes", "published", "refused", "unknown", "passed_wrongly", "refused_wrongly")
    def table(names: Seq[String]): String = {
      val head = Seq("seed", "speculation", "adaptive") ++ names.map(_.replace('_', ' '))
      row(head) + row(head.map(_ => "---")).replace(" ", "") + seeds.map { seed =>
        row(Seq(seed.path("seed").asText(), word(seed.path("speculation").asBoolean()), word(seed.path("adaptive").asBoolean())) ++ names.map(seed.path(_).asText()))
      }.mkString + row(Seq("all", "", "") ++ names.map(sum))
    }
    s"""# Chaos
       |
       |Random pipelines on two executors, with faults at random moments. Generated from `docs/data/chaos.json`, a copy of the
       |file `build/chaos.json` that `make check-chaos` writes; do not edit by hand. ${seeds.size} seeds on Spark ${json.path("spark").asText()} at ${json.path("commit").asText()}, ${sum("seconds")} s.
       |
       |Each seed is an application on `local-cluster` (with speculation: a standalone cluster of two hosts, since copies start
       |on another host only). Its pipelines consist of RDDs and Datasets, cached on several levels, checkpointed and not, with
       |named accumulators and operators of six steps between shuffles. They are counted, counted by two threads at once, read
       |in part, and written: by commits that the gates of three steps judge, and by saves under guard. A seed ends when it has
       |completed ${ChaosRun.Stages} stages and has ${ChaosRun.Named} accumulators. The truth follows from the ids of the rows, and is computed without Spark.
       |Some writes are *unsteady*: their first attempts drop rows that later ones do not. Of these, the rows that the published
       |table lacks are the truth.
       |
       |The campaign fails unless all of this holds: no figure that says `exact` is wrong; a step is exact and right, or it was
       |read in part and gives the reason; no write beyond its limit is published, and none within its limits is refused, except
       |as *unknown*.
       |
       |## Faults
       |
       |""".stripMargin + table(faults) + """
       |## Figures and verdicts
       |
       |*named* are accumulators: *exact* at every terminal RDD that has one, *flagged* at one of them at least, *unseen* where
       |no stage has brought an update. *spark wrong* are those whose own value in Spark differs from the truth, mostly because
       |of retries and second actions.
       |
       |""".stripMargin + table(figures)
  }

  def parse(text: String): JsonNode = mapper.readTree(text)
}

/** Writes docs/evidence/chaos.md from docs/data/chaos.json. */
object ChaosDocument {
  private def file(name: String): Path = Outcomes.project.resolve("docs").resolve(name)

  def data: JsonNode = Chaos.parse(new String(Files.readAllBytes(file("data/chaos.json")), UTF_8))
  def written: String = new String(Files.readAllBytes(file("evidence/chaos.md")), UTF_8)

  def main(arguments: Array[String]): Unit = {
    Files.write(file("evidence/chaos.md"), Chaos.markdown(data).getBytes(UTF_8))
    ()
  }
}
