package andiron.services

import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.{Files, Path, Paths}

import org.apache.spark.sql.{Encoders, Row, SparkSession}
import org.apache.spark.sql.functions.col

import andiron._
import andiron.services.AtlasApi.eventually
import andiron.internal.metrics.AtlasPublisher
import andiron.internal.util.Json

/** Checks of applications that publish to a real Atlas, to the sockets of an agent, and to a server with the answers of a faulty Atlas. */
final class Atlas(folder: Path, option: Map[String, String]) {
  private val api = new AtlasApi(option("atlas"))
  private val Rows = 1000L
  private val Versions = 4

  def run(report: Seq[(String, Any)] => Unit): Unit = Check.each(cluster ++ agents ++ answers ++ limits, report)(())

  private def start(master: String, job: String, conf: (String, String)*): SparkSession = {
    val builder = SparkSession.builder().master(master).appName(job)
      .config("spark.andiron.cache.budgetBytes", "64m").config("spark.andiron.cache.reportInterval", "200ms").config("spark.andiron.atlas.step", "1s")
      .config("spark.andiron.log.dir", folder.resolve("log").toString).config("spark.sql.shuffle.partitions", "4")
    conf.foreach { case (key, value) => builder.config(key, value) }
    builder.getOrCreate()
  }

  private def stop(spark: SparkSession): Unit = {
    spark.stop()
    SparkSession.clearActiveSession()
    SparkSession.clearDefaultSession()
  }

  private def withSpark[A](job: String, conf: (String, String)*)(body: SparkSession => A): A = {
    val spark = start("local[2]", job, conf: _*)
    try body(spark)
    finally stop(spark)
  }

  /** A job with two steps, one of which drops every tenth row, and a catalog that the rows read. */
  private def work(spark: SparkSession): Unit = {
    val history = Step(spark, "history")
    val gate = Gate(history, maxDropRatio = 0.5)
    Andiron.guard(gate) {
      history.map(spark.range(0, Rows, 1, 4)) { n => if (n % 10 == 0) sys.error("lost") else n.longValue }(Encoders.scalaLong).collect()
    }
    val odd = Step(spark, Atlas.OddName)
    val failed =
      try {
        Andiron.guard(Gate(odd, maxDropRatio = 0.1)) {
          odd.map(spark.range(0, 10, 1, 2)) { n => if (n < 5) sys.error("lost") else n.longValue }(Encoders.scalaLong).collect()
        }
        false
      } catch { case _: GateException => true }
    Check.require(failed, "a gate has passed that should not")
    val files = (0 until Versions).map(v => Version(s"v$v", Files.write(folder.resolve(s"v$v"), Bench.bytes(v, Bench.MiB)).toUri.toString))
    val catalog = VersionedData.catalog(spark, "metadata", files, Loader.bytes)
    val sum = spark.range(0, Rows, 1, 4).selectExpr("id", s"concat('v', id % $Versions) as version")
      .mapWithVersion(catalog, col("version"))((_: Row, value: Bytes) => value.size)(Encoders.scalaLong).collect().sum
    Check.require(sum == Rows * Bench.MiB, s"$sum bytes")
  }

  private def of(name: String, more: String*): String =
    (Seq(s"name,andiron.$name,:eq,job,${Atlas.Job},:eq,:and") ++ more.map(pair => s"${pair.replace('=', ',')},:eq,:and")).mkString(",")

  private def requireLast(q: String, expected: Double): Unit = {
    var seen: Option[Double] = None
    eventually(s"$q is $expected, but $seen") { seen = api.last(q); seen.exists(value => math.abs(value - expected) < 1e-9) }
  }

  /** The rise of a counter, summed over its series. */
  private def risen(name: String, more: String*): Double =
    api.graph(s"${of(name, more: _*)},:sum").values.map(AtlasApi.risen(_, Atlas.StepMillis)).sum

  private def requireRisen(expected: Double, name: String, more: String*): Unit = {
    var seen = 0.0
    eventually(s"$name ${more.mkString(" ")} has risen by $expected, but by $seen") { seen = risen(name, more: _*); math.abs(seen - expected) < 1e-6 * expected }
  }

  /** Checks of one application with two executors, while it runs and after its end. */
  private def cluster: Seq[Check] = {
    lazy val running = start("local-cluster[2,1,512]", "atlas checks", "spark.andiron.atlas.uri" -> option("atlas"),
      "spark.andiron.atlas.tags" -> "team=features", "spark.executor.memory" -> "512m", "spark.executor.extraClassPath" -> option("jar"))
    Seq(
      Check("driver and executors are there, with their tags") {
        work(running)
        eventually(s"executors: ${api.values("executor", of("cache.loads"))}")(Set("0", "1").subsetOf(api.values("executor", of("cache.loads"))))
        eventually("the driver")(api.values("role", of("step.in")) == Set("driver") && api.values("executor", of("step.in")) == Set("driver"))
        Check.require(api.values("team", of("cache.loads")) == Set("features") && api.values("role", of("cache.loads")) == Set("executor"), "tags")
        Seq("series" -> api.values("name", s"job,${Atlas.Job},:eq").size)
      },
      Check("a step has its figures") {
        requireLast(of("step.in", "step=history") + ",:max", Rows.toDouble)
        requireLast(of("step.out", "step=history") + ",:max", Rows * 0.9)
        requireLast(of("step.dropped", "step=history") + ",:max", Rows * 0.1)
        requireLast(of("step.dropRatio", "step=history") + ",:max", 0.1)
        requireRisen(Rows.toDouble, "step.attempted", "step=history")
      },
      Check("names that Atlas does not take are mapped") {
        requireLast(of("step.in", s"step=${Atlas.MappedName}") + ",:max", 10)
      },
      Check("gates have their last verdicts") {
        requireLast(of("gate.passed", "step=history", "gate=guard") + ",:min", 1)
        requireLast(of("gate.passed", s"step=${Atlas.MappedName}", "gate=guard") + ",:min", 0)
        requireLast(of("gate.ratio", s"step=${Atlas.MappedName}") + ",:max", 0.5)
        requireLast(of("gate.limitRatio", s"step=${Atlas.MappedName}") + ",:max", 0.1)
        requireRisen(1, "gate.failed", s"step=${Atlas.MappedName}")
      },
      Check("the executors' caches have their figures") {
        requireLast(of("cache.budgetBytes", "executor=0") + ",:max", 64.0 * Bench.MiB)
        val loads = Seq("0", "1").map(executor => risen("cache.loads", s"executor=$executor")).sum
        eventually(s"loads: $loads")(Seq("0", "1").map(executor => risen("cache.loads", s"executor=$executor")).sum >= Versions)
        val resident = Seq("0", "1").map(executor => api.last(of("cache.residentBytes", s"executor=$executor") + ",:max").getOrElse(0.0))
        Check.require(resident.forall(bytes => bytes % Bench.MiB == 0) && resident.sum >= Versions * Bench.MiB, s"resident: $resident")
        Seq("resident" -> resident.sum.toLong)
      },
      Check("every graph of the documentation has a line") {
        val graphs = Json.parse(new String(Files.readAllBytes(Paths.get(option("docs"), "operations/atlas-graphs.json")), UTF_8))
        var lines = 0
        graphs.forEach { graph =>
          val q = graph.path("q").asText().replace("{job}", Atlas.Job)
          // The quotient for the time of a load has no point in steps without a load.
          eventually(s"${graph.path("graph").asText()}: $q has a line") { val found = api.graph(q).size; lines += found; found > 0 }
        }
        Seq("graphs" -> graphs.size, "lines" -> lines)
      },
      Check("the last figures are published when the application ends") {
        stop(running)
        withSpark("short", "spark.andiron.atlas.uri" -> option("atlas")) { spark =>
          work(spark)
          Step(spark, "last-words").map(spark.range(0, 10, 1, 1))(_.longValue)(Encoders.scalaLong).collect()
        }
        requireLast("name,andiron.step.in,:eq,job,short,:eq,:and,step,last-words,:eq,:and,:max", 10)
        requireLast("name,andiron.step.out,:eq,job,short,:eq,:and,step,history,:eq,:and,:max", Rows * 0.9)
      })
  }

  private def lines(file: String): Set[String] = new String(Files.readAllBytes(Paths.get(option("lines"), file)), UTF_8).split('\n').toSet

  private def agents: Seq[Check] = Seq("udp", "unix").map { way =>
    Check(s"an agent gets lines by $way")(withSpark(s"by $way", "spark.andiron.atlas.spectatord" -> option(way)) { spark =>
      work(spark)
      def sent: Set[String] = lines(s"$way.lines").filter(_.contains(s"job=by_$way"))
      eventually(s"figures of the step in ${sent.take(20)}")(sent.contains(s"g,5:andiron.step.dropRatio,executor=driver,job=by_$way,role=driver,step=history:0.1"))
      val shape = "(g,\\d+|c):andiron(\\.\\w+)+(,[\\w.^~-]+=[\\w.^~-]+)*:[-\\d.e]+".r.pattern
      val wrong = sent.filterNot(line => shape.matcher(line).matches)
      Check.require(wrong.isEmpty, s"no lines of the protocol: $wrong")
      val hits = "c:andiron.cache.loads,executor=driver,job=by_(?:udp|unix),role=driver:(\\d+)".r
      eventually("the loads")(sent.collect { case hits(count) => count.toLong }.sum >= Versions)
      Seq("lines" -> sent.size)
    })
  }

  /** Checks with a server that gives this answer: the job is as fast as without it, and refused points are counted. */
  private def answers: Seq[Check] = Seq("202" -> "refused", "400" -> "refused", "503" -> "unanswered", "nothing" -> "unanswered").map { case (answer, outcome) =>
    Check(s"Atlas answers $answer") {
      val server = new OddAtlas(answer)
      try withSpark(s"answered $answer", "spark.andiron.atlas.uri" -> server.uri) { spark =>
        work(spark)
        def figures = Json.parse(AtlasPublisher.running.getOrElse(throw new IllegalStateException("nothing publishes")).figures)
        eventually(s"$outcome in $figures")(figures.path(outcome).asLong() > 0)
        Check.require(figures.path("last_failure").asText().nonEmpty, figures.toString)
        val begun = System.nanoTime()
        spark.stop()
        val stopped = (System.nanoTime() - begun) / 1000000
        Check.require(stopped < 60000, s"the end took $stopped ms")
        Seq("stop_ms" -> stopped)
      } finally server.close()
    }
  }

  private def limits: Seq[Check] = Seq(Check("a process publishes as many series as it may")(
    withSpark("limited", "spark.andiron.atlas.uri" -> option("atlas"), "spark.andiron.atlas.maxSeries" -> "20") { spark =>
      work(spark)
      eventually("series left out")(api.last("name,andiron.atlas.seriesLeftOut,:eq,job,limited,:eq,:and,:max").exists(_ > 0))
      val series = api.graph("job,limited,:eq,:sum,(,name,outcome,),:by").size + api.graph("job,limited,:eq,:sum,(,name,),:by").size
      Check.require(series > 0 && series <= 20 + 1, s"$series series")
      Seq("series" -> series)
    }))
}

object Atlas {
  /** The application's name as a tag value in Atlas. */
  val Job = "atlas_checks"
  val OddName = "odd name/ü \"x\""
  val MappedName = "odd_name____x_"
  val StepMillis = 1000L
}
