package andiron.internal.metrics

import java.util.concurrent.ConcurrentHashMap

import scala.util.control.NonFatal

import org.apache.spark.andironshim.{GatedWrites, JobLineage, MetricsInternals, Reached, WriteAction, WriteGate, WriteHook, WriteScope}
import org.slf4j.LoggerFactory

import andiron.{AndironConf, Gate, GateException, Step}
import andiron.internal.util.{DaemonThread, Json}

/** The scope of a gate's judgement; `writers` and `incomplete` as in [[WriteScope]]. */
private[andiron] final case class Judged(
    place: String, write: Option[String], scope: Option[(String, Long)], reached: Seq[Reached], writers: Option[Set[Int]], incomplete: String)

/** The gates of an application. */
private[andiron] final class GateKeeper(application: MetricsApplication) {
  private val gates = ConcurrentHashMap.newKeySet[Gate]()
  @volatile private var hasChanged = false
  private var watch: Thread = _
  @volatile private var isOpen = true
  private val hook = new WriteHook {
    override def isNeeded: Boolean = isOpen && (!isEmpty || application.hasSteps)
    override def planned(): Unit = application.guards.planned(TaskScope.guardsOf(application.context))
    override def refuse(write: WriteAction, steps: Set[Long]): Unit = application.unguarded.refuse(write, steps)
    override def refuseDrop(steps: Set[Long]): Unit = application.unguarded.refuseDrop(steps)
    override def lineage: JobLineage = application.lineage
    override def gate(path: String): WriteGate = new CommitGates(application, path)
  }

  def add(gate: Gate): Unit = {
    gates.add(gate)
    application.declare(gate)
    stand()
    if (gate.maxDropped < Long.MaxValue) startWatch()
  }

  /** Installs the gates' commit protocol for later writes. */
  def stand(): Unit = GatedWrites.install(application.context, hook)

  /** The names of those of these steps that have a gate. */
  def namesOf(steps: Set[Long]): Set[String] = {
    var found = Set.empty[String]
    gates.forEach(gate => if (steps(gate.step.handle.id)) found += gate.step.name)
    found
  }

  def remove(step: Step): Unit = gates.removeIf(gate => gate.step eq step): Unit

  def isEmpty: Boolean = gates.isEmpty

  /** Notes that counts have changed. */
  def changed(): Unit = hasChanged = true

  def close(): Unit = isOpen = false

  /** The gates on the steps of a write; all gates if the steps are unknown. */
  def on(scope: Option[WriteScope]): Seq[Gate] = {
    var found = Vector.empty[Gate]
    gates.forEach(gate => if (scope.forall(_.steps(gate.step.handle.id))) found :+= gate)
    found
  }

  /** Throws the failure of the first gate that does not pass the write to `path`. */
  def require(judged: Seq[Gate], scope: Option[WriteScope], path: String): Unit = judged.foreach { gate =>
    val asked = scope match {
      case Some(of) => Judged("commit", Some(path), Some("execution" -> of.execution), of.reached, of.writers.filter(_ => application.hasAll), of.incomplete)
      case None     => Judged("commit", Some(path), None, Nil, None, "the plan of the write cannot be read")
    }
    verdict(gate, asked).foreach(e => throw e)
  }

  /** The failure of the first gate that does not pass the actions under a guard; None if all pass. */
  def guarded(judged: Seq[Gate], guard: OpenGuard): Option[GateException] = {
    val patience = AndironConf.MetricsStopTimeout.in(application.context.getConf)
    val hasArrived = application.barrier(patience)
    val run = application.guards.of(guard)
    val incomplete =
      if (!hasArrived) s"events of Spark have not arrived within $patience ms (spark.andiron.metrics.stopTimeout)"
      else if (!run.hasRun)
        "no job ran in the guarded body: a lazy Dataset or RDD was returned, or the work went to a thread of a pool (Andiron.guard.wrap carries the guard there)"
      else if (!application.hasAll) "Spark has dropped events, which may concern further jobs (spark.andiron.metrics.queueCapacity)"
      else ""
    judged.iterator.flatMap(verdict(_, Judged("guard", None, Some("guard" -> guard.number), run.reached, run.writers, incomplete))).buffered.headOption
  }

  /**
   * The failure of the first gate that does not pass a publish whose jobs ran under a guard. It asks the gates of the
   * `declared` steps and of those that the jobs read; all gates if events of these jobs may be missing.
   */
  def published(declared: Set[Long], guard: OpenGuard): Option[GateException] = {
    val isKnown = application.barrier(AndironConf.MetricsStopTimeout.in(application.context.getConf)) && application.hasAll
    val steps = declared ++ application.guards.of(guard).reached.map(_.run.step)
    val asked = on(None).filter(gate => !isKnown || steps(gate.step.handle.id))
    if (asked.isEmpty) None else guarded(asked, guard)
  }

  /** The failure of a gate; None if it passes. */
  private def verdict(gate: Gate, judged: Judged): Option[GateException] =
    try GateException.of(gate.step.name, Json.parse(application.judge(gate.step.name, gate.limits(judged))))
    catch {
      case NonFatal(e) => Some(GateException.unknown(gate.step, e.getMessage, e))
    }

  private def startWatch(): Unit = synchronized {
    if (watch == null) {
      watch = DaemonThread("andiron-gate", () => keepWatch())
      watch.start()
    }
  }

  private def keepWatch(): Unit =
    while (isOpen) {
      Thread.sleep(GateKeeper.WatchMillis)
      if (hasChanged) {
        hasChanged = false
        try look()
        catch { case t: Throwable => GateKeeper.log.warn("gates could not be checked early", t) }
      }
    }

  /**
   * Cancels the stage of each instance that has dropped more rows than its gate allows; the native library reports each
   * instance once.
   */
  private def look(): Unit = gates.forEach { gate =>
    if (gate.maxDropped < Long.MaxValue) {
      val verdict = Json.parse(application.watch(gate.step.name, gate.limits(GateKeeper.Early)))
      GateException.of(gate.step.name, verdict).foreach { e =>
        hasChanged = true
        if (verdict.has("stage"))
          MetricsInternals.cancelStage(application.context, verdict.path("stage").asInt(), GateKeeper.Reason + e.getMessage)
      }
    }
  }
}

private[andiron] object GateKeeper {
  private val log = LoggerFactory.getLogger(classOf[GateKeeper])
  private val WatchMillis = 200L
  private val Early = Judged("early", None, None, Nil, None, "")

  /** Whether a gate caused the failure of a job. */
  def isOurs(error: Throwable): Boolean =
    Iterator.iterate(error)(_.getCause).takeWhile(_ != null).take(100).exists(e =>
      e.isInstanceOf[GateException] || String.valueOf(e.getMessage).contains(Reason))

  /** Prefix of the reason for cancelling a stage or job. */
  val Reason = "Andiron's gate: "
}
