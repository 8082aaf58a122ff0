package andiron.crashes

import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.{Files, Path}
import java.util.concurrent.ThreadLocalRandom

import com.fasterxml.jackson.databind.{JsonNode, ObjectMapper, SerializationFeature}
import com.fasterxml.jackson.databind.node.ObjectNode

import andiron.internal.metrics.Outcomes

/**
 * `make check-crashes`: kills drivers at random moments, on files and on a layer that loses unsynced bytes. Writes build/crashes.json.
 * The argument, or ANDIRON_KILLS, is the number of kills on each (50); ANDIRON_SEED repeats a campaign's moments.
 */
object Crashes {
  private val mapper = new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT)

  def main(arguments: Array[String]): Unit = {
    val kills = arguments.headOption.orElse(sys.env.get("ANDIRON_KILLS")).fold(50)(_.toInt)
    val seed = sys.env.get("ANDIRON_SEED").fold(ThreadLocalRandom.current().nextLong())(_.toLong)
    val home = Files.createDirectories(Outcomes.project.resolve("build/crashes"))
    val directory = Files.createTempDirectory(home, "run")
    val chains = Seq("files", "lossy").map(layer => new CrashChain(directory.resolve(layer), layer, seed + layer.hashCode))
    chains.foreach(chain => println(s"${chain.layer}: seed ${chain.seed} (ANDIRON_SEED=$seed)"))
    val results = new Array[(Seq[CrashPoint], Seq[String])](chains.size)
    val threads = chains.zipWithIndex.map { case (chain, at) => new Thread(() => results(at) = run(chain, kills)) }
    threads.foreach(_.start())
    threads.foreach(_.join())
    require(results.forall(_ != null), "a chain has ended with an error, see above")
    val node = mapper.createObjectNode().put("spark", sys.props("andiron.test.sparkVersion")).put("seed", seed)
    val layers = node.putArray("layers")
    chains.zip(results).foreach { case (chain, (_, complaints)) =>
      val (shipped, again) = chain.shipped
      val layer = layers.addObject().put("layer", chain.layer).put("seed", chain.seed).put("shipped", shipped).put("shipped_again", again)
      val told = layer.putArray("complaints")
      complaints.foreach(text => told.add(text))
    }
    val all = node.putArray("points")
    results.flatMap(_._1).foreach(point => write(all.addObject(), point))
    val file = Outcomes.project.resolve("build/crashes.json")
    Files.write(file, (mapper.writeValueAsString(node) + "\n").getBytes(UTF_8))
    val complaints = results.toSeq.flatMap { case (points, last) => points.flatMap(_.complaints) ++ last }
    complaints.foreach(text => System.err.println(s"crashes: $text"))
    val bad = results.flatMap(_._1).count(point => point.complaints.nonEmpty || point.lost + point.duplicates > 0)
    println(s"${kills * chains.size} kills, build/crashes.json: ${kills * chains.size - bad} held, $bad did not, ${complaints.size} complaints")
    if (complaints.isEmpty && bad == 0) delete(directory) else sys.exit(1)
  }

  /** The points of a chain, and the faults of the events shipped after the last one. */
  def run(chain: CrashChain, kills: Int): (Seq[CrashPoint], Seq[String]) = {
    val points = (1 to kills).map { number =>
      val point = chain.kill(number)
      println(s"${point.layer} ${point.number}: ${point.delayMillis} ms after @${point.anchor}, ${point.rounds} rounds and ${point.acknowledged} revisions " +
        s"acknowledged, ${point.read} read, ${point.skippedBytes} bytes skipped, ${point.missing} missing, ${point.lost} lost, ${point.duplicates} twice" +
        point.complaints.map("\n    " + _).mkString)
      point
    }
    (points, chain.ship())
  }

  private def write(to: ObjectNode, point: CrashPoint): Unit = {
    to.put("layer", point.layer).put("number", point.number).put("anchor", point.anchor).put("delay_ms", point.delayMillis)
    to.put("sink_down", point.sinkIsDown).put("application", point.application).put("rounds_acknowledged", point.rounds)
    to.put("revisions_acknowledged", point.acknowledged).put("events_read", point.read).put("skipped_bytes", point.skippedBytes)
    to.put("missing", point.missing).put("lost", point.lost).put("duplicates", point.duplicates)
    val complaints = to.putArray("complaints")
    point.complaints.foreach(text => complaints.add(text))
  }

  private def delete(path: Path): Unit = andiron.testing.Sparks.delete(path)

  /** The text of docs/evidence/crashes.md. */
  def markdown(json: JsonNode): String = {
    val rows = new StringBuilder
    json.path("layers").forEach { layer =>
      var points = Vector.empty[JsonNode]
      json.path("points").forEach(point => if (point.path("layer") == layer.path("layer")) points :+= point)
      def sum(name: String): String = f"${points.map(_.path(name).asLong()).sum}%,d"
      def count(holds: JsonNode => Boolean): Int = points.count(holds)
      rows ++= Seq(
        layer.path("layer").asText(), layer.path("seed").asText(), points.size.toString, count(!_.path("anchor").asText().startsWith("flushed")).toString,
        count(_.path("sink_down").asBoolean()).toString, sum("rounds_acknowledged"), sum("revisions_acknowledged"), sum("events_read"),
        sum("skipped_bytes"), sum("missing"), sum("lost"), sum("duplicates"), f"${layer.path("shipped").asLong()}%,d",
        f"${layer.path("shipped_again").asLong()}%,d").mkString("| ", " | ", " |\n")
    }
    s"""# Crashes
       |
       |The remains of a driver that is killed by SIGKILL at a random moment. Generated from `docs/data/crashes.json`, a copy of
       |the file `build/crashes.json` that `make check-crashes` writes; do not edit by hand. Spark ${json.path("spark").asText()}.
       |
       |Each driver is a real `spark-submit` of a job with steps, failing rows and gates before writes. It is killed up to 3 s
       |after its first round was durable, or sometimes after its context was created or its `main` began; then the next driver
       |of the run (`spark.andiron.run.id`) is started. `lossy` logs to a layer that keeps unsynced bytes in memory, except for
       |some sectors, so that they are lost with the process. Acknowledged revisions are known outside the process: the driver
       |prints a round's figures after their flush, and a sink that receives only durable events keeps them in a file. The sink
       |is down in about half of the drivers' lives. The tests read the logs with code of their own, written from
       |docs/internals/wire-format.md.
       |
       |At every point all of this must hold: each acknowledged revision is in the log, once, with its content; the printed
       |figures, samples and verdicts are in the log and in `andiron report`; the report says that the driver never ended, and
       |the report of the next one names it as its predecessor. After the last point `andiron ship` gives the sink every event
       |of every log under its id; events that the sink has received twice have the same id, revision and content.
       |
       || layer | seed | kills | while it starts | sink down | rounds acknowledged | revisions acknowledged | read | bytes skipped | missing | lost | twice in the log | shipped | shipped again |
       ||---|---|---|---|---|---|---|---|---|---|---|---|---|---|
       |""".stripMargin + rows
  }

  def parse(text: String): JsonNode = mapper.readTree(text)
}

/** Writes docs/evidence/crashes.md from docs/data/crashes.json. */
object CrashDocument {
  private def file(name: String): Path = Outcomes.project.resolve("docs").resolve(name)

  def data: JsonNode = Crashes.parse(new String(Files.readAllBytes(file("data/crashes.json")), UTF_8))
  def written: String = new String(Files.readAllBytes(file("evidence/crashes.md")), UTF_8)

  def main(arguments: Array[String]): Unit = {
    Files.write(file("evidence/crashes.md"), Crashes.markdown(data).getBytes(UTF_8))
    ()
  }
}
