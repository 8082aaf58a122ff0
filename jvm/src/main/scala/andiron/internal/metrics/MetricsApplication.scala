package andiron.internal.metrics

import java.nio.ByteBuffer
import java.util.concurrent.atomic.{AtomicBoolean, AtomicLong}

import com.codahale.metrics.MetricRegistry
import com.fasterxml.jackson.databind.JsonNode
import com.fasterxml.jackson.databind.node.ObjectNode
import org.apache.spark.SparkContext
import org.apache.spark.andironshim.{Gathering, JobLineage, MetricsEvents, MetricsInternals, MetricsListener, MetricsSentinel, StepPlanning, StepRuns}
import org.apache.spark.scheduler._
import org.apache.spark.andironshim.PrivateTypes.{ExecutionEnd, ExecutionStart, ExecutionUpdate}
import org.slf4j.LoggerFactory

import andiron.{AndironConf, Gate, Step, StepFigures}
import andiron.internal.boundary.{EventKind, NativeLibrary, NativeMetrics}
import andiron.internal.util.{CallbackGuard, Json}

/**
 * The metrics of one application, on its driver. Passes events and cells to the native library, which holds all
 * figures. Methods called by Spark's threads never throw.
 */
private[andiron] final class MetricsApplication private (val context: SparkContext, val handle: Long) extends MetricsEvents {
  private val guard = new CallbackGuard
  private val open = java.util.concurrent.ConcurrentHashMap.newKeySet[Step]()
  private val sentinels = new AtomicLong
  private val hasEnded = new AtomicBoolean
  @volatile private var dropped = 0L
  private val sites = new CallSites
  @volatile private var forget: () => Unit = () => ()
  @volatile private var gauges: Option[SeriesGauges] = None
  private val lines = LogWatch.open("driver", texts => texts.foreach(logLine))

  private val archive = AndironConf.LogArchive.in(context.getConf).flatMap(to => guard.value[Option[LogArchive]]("open the archive of the log", None) {
    Some(new LogArchive(MetricsFacts.logFolder(context), to, context.hadoopConfiguration))
  })

  /** The gates of this application's steps. */
  val gates = new GateKeeper(this)

  /** The open guards. */
  val guards = new GuardRuns

  /** The step instances that jobs read. */
  val lineage = new JobLineage

  /** Publishing actions of jobs and SQL executions on the rows of gated steps. */
  val unguarded = new UnguardedActions(this)

  /** Fails actions whose steps have dropped all of their rows. */
  val allDropped = new AllDropped(this)

  /** The run's key for hashes of redacted rows. */
  lazy val secret: HashSecret = {
    val conf = context.getConf
    val run = AndironConf.RunId.in(conf).filter(_.nonEmpty).fold(s"application ${context.applicationId}")("run " + _)
    try HashSecret.of(NativeMetrics.secret(AndironConf.LogDirectory.in(conf), run))
    catch {
      case t: Throwable =>
        MetricsApplication.log.warn("hashes of redacted rows are valid for this application only, because the run's secret is not available", t)
        HashSecret.random()
    }
  }

  /** Whether any step is open. */
  def hasSteps: Boolean = !open.isEmpty

  /** The native library's answer to a question; its warnings are logged. */
  def ask(question: ObjectNode): JsonNode = {
    val answer = Json.parse(NativeMetrics.ask(handle, Json.text(question)))
    answer.path("warn").forEach(message => MetricsApplication.gateLog.warn(message.asText()))
    answer
  }

  /** Accepts one cell of a step, on the scheduler's thread; returns whether it could be counted. */
  def receive(cell: Array[Byte]): Boolean = guard.value("count the cells of a task", false) {
    NativeMetrics.stepCell(handle, cell)
    gates.changed()
    true
  }

  /** Keeps the step's accumulator reachable. */
  def add(step: Step): Unit = {
    open.add(step)
    gates.stand()
  }

  def remove(step: Step): Unit = {
    open.remove(step)
    gates.remove(step)
    tellOutside()
    guard("close a step")(send(EventKind.StepDeclared, Json.node().put("id", step.handle.id).put("closed", true)))
  }

  def declare(id: Long, name: String, site: Option[StepSite], counters: Seq[String]): Unit = guard("declare a step") {
    val node = Json.node().put("step", name).put("id", id)
    site.foreach { s =>
      node.put("site", s.label).put("site_id", s.id)
      MicroBatch.here(context).foreach(of => node.put("query", of.query).put("batch", of.batch).put("run", of.run))
    }
    node.set[ObjectNode]("counters", Json.array(counters))
    send(EventKind.StepDeclared, node)
    if (site.isEmpty) gauges.foreach(_.refresh())
  }

  /** Declares a gate that is in force from now on. */
  def declare(gate: Gate): Unit = guard("declare a gate") {
    val node = Json.node().put("step", gate.step.name).put("id", gate.step.handle.id)
    node.set[ObjectNode]("gate", gate.declaration)
    send(EventKind.StepDeclared, node)
  }

  /** Registers the application's series as gauges in Spark's metrics system, now and when new ones appear. */
  def show(registry: MetricRegistry): Unit = {
    val number = handle // the registry must not retain the application
    val made = new SeriesGauges(registry, () => NativeMetrics.series(number))
    made.refresh()
    gauges = Some(made)
  }

  /** None if the figures are not available. */
  def stepFigures(step: Step): Option[StepFigures] =
    guard.value[Option[StepFigures]]("read the figures of a step", None) {
      tellOutside()
      def told = Json.parse(NativeMetrics.stepFigures(handle, step.handle.id))
      val now = told
      // A stage's facts and its end become known only after the counts of its tasks.
      Some(StepFigures.of(step.name, if (now.path("running").asBoolean(false) && barrier(MetricsApplication.FiguresMillis)) told else now))
    }

  /** Reports additions to counters outside the steps' functions in this process. */
  def tellOutside(): Unit = guard("report additions outside of steps")(OutsideAdds.takeAll((step, n) => outside(step, n)))

  /** Reports such additions in any process. */
  def outside(step: Long, n: Long): Unit = send(EventKind.StepDeclared, Json.node().put("id", step).put("outside", n))

  /** The native library's verdict on a step. */
  def judge(step: String, limits: String): String = {
    val verdict = watch(step, limits)
    gauges.foreach(_.refresh())
    verdict
  }

  /** As `judge`, for polling several times a second while a job runs; a passing verdict is not recorded. */
  def watch(step: String, limits: String): String = NativeMetrics.judge(handle, step, limits)

  /** The report up to now, as text or as an HTML page. */
  def report(html: Boolean): String = {
    val conf = context.getConf
    barrier(AndironConf.MetricsStopTimeout.in(conf))
    tellOutside()
    flush(AndironConf.MetricsStopTimeout.in(conf))
    NativeMetrics.report(AndironConf.LogDirectory.in(conf), context.applicationId, html)
  }

  /** Whether, as far as is known, Spark has dropped no event for Andiron's listener. */
  def hasAll: Boolean = dropped == 0

  def figures(): String = NativeMetrics.figures(handle)

  /** Waits at most `millis` until every event posted up to now has arrived; false if that is not certain. */
  def barrier(millis: Long): Boolean = guard.value("wait for events", false) {
    val end = System.nanoTime() + millis * 1000000
    var arrived = false
    while (!arrived && System.nanoTime() < end) {
      // Several sentinels one after another, because a full queue drops sentinels too.
      val number = sentinels.incrementAndGet()
      MetricsInternals.post(context, MetricsSentinel(number))
      val patience = System.nanoTime() + MetricsApplication.SentinelNanos
      while (!arrived && System.nanoTime() < math.min(end, patience)) arrived = NativeMetrics.awaitSentinel(handle, number, 100)
    }
    arrived
  }

  /** Waits at most `millis` until all changes are durable. */
  def flush(millis: Long): Boolean = guard.value("flush the metrics", false)(NativeMetrics.flush(handle, millis))

  override def accumulator(id: Long, name: String, kind: Int): Unit = NativeMetrics.accumulator(handle, id, name, kind)

  override def accumulatorValues(values: Seq[(Long, Any)]): Unit = send(EventKind.AccumulatorValues, EventJson.accumulatorValues(values))

  override def speculation(stage: Int, attempt: Int): Unit =
    send(EventKind.Speculation, Json.node().put("stage", stage).put("attempt", attempt))

  override def taskEnds(buffer: ByteBuffer, length: Int): Unit = NativeMetrics.taskEnds(handle, buffer, length)

  override def stageSubmitted(stage: StageInfo, executionId: Option[Long]): Unit = {
    val node = EventJson.stage(stage, sites.submitted(stage, executionId)).put("status", "running")
    executionId.foreach(id => node.put("execution_id", id))
    node.set[ObjectNode]("rdds", EventJson.rdds(stage))
    node.set[ObjectNode]("caches", EventJson.caches(stage))
    send(EventKind.StageSubmitted, node)
  }

  override def stageCompleted(stage: StageInfo): Unit = {
    tellDropped()
    val node = EventJson.stage(stage, sites.completed(stage)).put("status", if (stage.failureReason.isEmpty) "succeeded" else "failed")
    node.set[ObjectNode]("accumulables", Json.numbers(MetricsInternals.sqlMetrics(stage)))
    send(EventKind.StageCompleted, node)
  }

  override def jobStart(event: SparkListenerJobStart, executionId: Option[Long]): Unit = {
    val node = EventJson.jobStart(event, sites.of(_, executionId))
    executionId.foreach(id => node.put("execution_id", id))
    val around = Option(event.properties).fold(Array.empty[Long])(properties => TaskScope.guards(properties.getProperty(TaskScope.Guards)))
    val reads = lineage.began(event)
    guards.began(event.jobId, around, reads)
    unguarded.jobStart(event, reads, around.nonEmpty, node.path("call_site").asText())
    send(EventKind.JobStart, node)
  }

  override def jobEnd(event: SparkListenerJobEnd): Unit = {
    if (event.jobResult != JobSucceeded) guards.failed(event.jobId)
    send(EventKind.JobEnd, EventJson.jobEnd(event))
    unguarded.jobEnd(event)
  }

  override def executionStart(event: ExecutionStart): Unit = {
    val description = EventJson.cut(event.description, 1024)
    sites.began(event.executionId, description)
    unguarded.executionStart(event)
    send(EventKind.Execution, EventJson.plan(event.executionId, event.physicalPlanDescription, event.sparkPlanInfo)
      .put("description", description).put("started_ms", event.time))
  }

  override def executionUpdate(event: ExecutionUpdate): Unit =
    send(EventKind.Execution, EventJson.plan(event.executionId, event.physicalPlanDescription, event.sparkPlanInfo))

  override def executionEnd(event: ExecutionEnd): Unit = {
    StepRuns.ended(event.executionId)
    sites.ended(event.executionId)
    unguarded.executionEnd(event)
    val node = Json.node().put("execution", event.executionId).put("ended_ms", event.time)
    event.errorMessage.filter(_.nonEmpty).foreach(message => node.put("failure", EventJson.cut(message, 4096)))
    send(EventKind.Execution, node)
  }

  override def sentinel(number: Long): Unit = {
    tellDropped()
    NativeMetrics.sentinel(handle, number)
  }

  override def applicationEnd(event: SparkListenerApplicationEnd): Unit = {
    tellDropped()
    end(Json.node().put("ended_ms", event.time), event)
  }

  override def failed(what: String, error: Throwable): Unit = {
    guard(what)(throw error)
    NativeMetrics.event(handle, EventKind.CallbackFailed, s"could not $what: $error")
  }

  /** Records a log line, as JSON. */
  def logLine(json: String): Unit = guard("note a log line")(NativeMetrics.event(handle, EventKind.LogLine, json))

  /** Ends the metrics at JVM exit if the application has not ended. */
  def exit(): Unit = guard("end the metrics")(end(Json.node().put("ended_ms", System.currentTimeMillis()), null))

  private def end(node: ObjectNode, event: SparkListenerApplicationEnd): Unit = if (hasEnded.compareAndSet(false, true)) {
    if (event != null) MetricsInternals.exitCode(event).foreach(code => node.put("exit_code", code))
    guard("report gates that judged nothing")(ask(Json.node().put("ask", "never asked")))
    gates.close()
    tellOutside()
    guard("end the log lines")(lines.foreach(_.close()))
    val millis = AndironConf.MetricsStopTimeout.in(context.getConf)
    val begun = System.nanoTime()
    NativeMetrics.end(handle, Json.text(node), millis)
    archive.foreach(_.close(millis - (System.nanoTime() - begun) / 1000000))
    // Not possible within the hook itself, when the JVM is exiting.
    try forget()
    catch { case _: IllegalStateException => () }
  }

  private def tellDropped(): Unit = {
    val now = MetricsInternals.droppedEvents()
    if (now > dropped) {
      dropped = now
      NativeMetrics.droppedEvents(handle, now)
    }
  }

  private def send(kind: Int, node: ObjectNode): Unit = NativeMetrics.event(handle, kind, Json.text(node))
}

private[andiron] object MetricsApplication {
  private val log = LoggerFactory.getLogger(classOf[MetricsApplication])
  private val SentinelNanos = 1000000000L
  private val FiguresMillis = 1000L
  private val gateLog = LoggerFactory.getLogger("andiron.Gate")
  @volatile private var current: Option[MetricsApplication] = None
  @volatile private var reason = "spark.plugins does not name andiron.AndironPlugin"

  /** The metrics of `context`'s application; None if they are off. */
  def of(context: SparkContext): Option[MetricsApplication] = current.filter(_.context eq context)

  /** The metrics of the application that runs in this process; None if they are off. */
  def running: Option[MetricsApplication] = current

  /** The reason why metrics are off. */
  def whyOff: String = reason

  /** Resets the state when another application begins in this process. */
  def leave(): Unit = {
    current = None
    StepRuns.clear()
    reason = s"${AndironConf.Enabled.key} is false"
  }

  /** Called before the application has an id. */
  def prepare(context: SparkContext): Unit = {
    if (AndironConf.MetricsEnabled.in(context.getConf)) {
      reason = "the application has not started yet"
      MetricsInternals.setQueueCapacity(context, AndironConf.MetricsQueueCapacity.in(context.getConf))
      StepPlanning.prepare(context)
    } else reason = s"${AndironConf.MetricsEnabled.key} is false"
  }

  /** Opens the metrics, before the first event of the application is delivered. */
  def start(context: SparkContext): Unit = if (AndironConf.MetricsEnabled.in(context.getConf))
    try {
      NativeLibrary.load()
      val handle = NativeMetrics.open(MetricsFacts.settings(context), Json.text(MetricsFacts.facts(context)))
      val application = new MetricsApplication(context, handle)
      current = Some(application)
      val gathering = new Gathering(AndironConf.MetricsQueueCapacity.in(context.getConf), Gathering.waiting(context))
      MetricsInternals.addListener(context, new MetricsListener(application, Some(gathering)))
      application.forget = MetricsInternals.onExit(() => application.exit())
    } catch {
      case t: Throwable =>
        current = None
        reason = s"the native library or the log cannot be used: $t"
        log.error("metrics are off: steps compute the same rows, and nothing is counted", t)
    }
}
