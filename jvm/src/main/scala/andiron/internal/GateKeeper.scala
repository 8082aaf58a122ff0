package andiron.internal

import java.util.concurrent.ConcurrentHashMap

import scala.util.control.NonFatal

import org.apache.spark.andiron.{GatedWrites, MetricsInternals}
import org.slf4j.LoggerFactory

import andiron.{Gate, GateException, Step}

/** The gates of an application. */
private[andiron] final class GateKeeper(application: MetricsApplication) {
  private val gates = ConcurrentHashMap.newKeySet[Gate]()
  private val failed = new ConcurrentHashMap[Gate, GateException]
  @volatile private var hasChanged = false
  private var watch: Thread = _
  @volatile private var isOpen = true
  private val isNeeded = () => isOpen && !isEmpty

  def add(gate: Gate): Unit = {
    gates.add(gate)
    GatedWrites.install(application.context, isNeeded)
    if (gate.maxDropped < Long.MaxValue) startWatch()
  }

  def remove(step: Step): Unit = {
    gates.removeIf(gate => gate.step eq step)
    failed.keySet.removeIf(gate => gate.step eq step): Unit
  }

  def isEmpty: Boolean = gates.isEmpty

  /** Counts have changed. */
  def changed(): Unit = hasChanged = true

  def close(): Unit = {
    isOpen = false
    GatedWrites.leave(isNeeded)
  }

  /** The gates on the steps with these ids, each with the operators that it is asked about; all gates if the steps are unknown. */
  def on(steps: Option[Map[Long, Set[Long]]]): Seq[(Gate, Option[Set[Long]])] = {
    var found = Vector.empty[(Gate, Option[Set[Long]])]
    gates.forEach { gate =>
      val sites = steps.flatMap(_.get(gate.step.handle.id))
      if (steps.isEmpty || sites.nonEmpty) found :+= gate -> sites
    }
    found
  }

  /** Throws what the first gate that fails has to say of the operators that `path` is written with. */
  def require(judged: Seq[(Gate, Option[Set[Long]])], path: String): Unit = judged.foreach { case (gate, sites) =>
    verdict(gate, "commit", Some(path), sites).foreach(e => throw e)
  }

  /** What stands against the gate, if anything does; `sites` are the operators that are judged, or all of the step. An early verdict stays. */
  def verdict(gate: Gate, place: String, write: Option[String] = None, sites: Option[Set[Long]] = None): Option[GateException] = {
    val early = Option(failed.get(gate))
    early.orElse {
      try GateException.of(gate.step.name, Json.parse(application.judge(gate.step.name, gate.limits(place, write, sites))))
      catch {
        case NonFatal(e) => Some(GateException.unknown(gate.step, e.getMessage, e))
      }
    }
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
        catch { case t: Throwable => GateKeeper.log.warn("Andiron could not look at gates early", t) }
      }
    }

  private def look(): Unit = gates.forEach { gate =>
    if (gate.maxDropped < Long.MaxValue && !failed.containsKey(gate))
      GateException.of(gate.step.name, Json.parse(application.watch(gate.step.name, gate.limits("early", None, None)))).foreach { e =>
        failed.put(gate, e)
        gate.step.lastStage.foreach(stage => MetricsInternals.cancelStage(application.context, stage, GateKeeper.Reason + e.getMessage))
      }
  }
}

private[andiron] object GateKeeper {
  private val log = LoggerFactory.getLogger(classOf[GateKeeper])
  private val WatchMillis = 200L

  /** Whether a job has failed because of a gate. */
  def isOurs(error: Throwable): Boolean =
    Iterator.iterate(error)(_.getCause).takeWhile(_ != null).take(100).exists(e =>
      e.isInstanceOf[GateException] || String.valueOf(e.getMessage).contains(Reason))

  /** What the reason of a cancelled stage begins with. */
  val Reason = "Andiron's gate: "
}
