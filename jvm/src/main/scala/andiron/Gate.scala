package andiron

import com.fasterxml.jackson.databind.node.ObjectNode
import org.slf4j.LoggerFactory

import andiron.internal.metrics.{Judged, MetricsApplication, ReachedJson}
import andiron.internal.util.{Json, OfTheDriver}

/** A gate's result for a step that has read no rows. */
sealed abstract class ZeroRows private[andiron] (private[andiron] val word: String)

object ZeroRows {
  case object Pass extends ZeroRows("pass")
  case object Fail extends ZeroRows("fail")

  /** For Java. */
  def pass: ZeroRows = Pass
  def fail: ZeroRows = Fail
}

/** A gate's result when the counts are not known. */
sealed abstract class OnUnknown private[andiron] (private[andiron] val word: String)

object OnUnknown {
  case object Pass extends OnUnknown("pass")
  case object Fail extends OnUnknown("fail")

  /** For Java. */
  def pass: OnUnknown = Pass
  def fail: OnUnknown = Fail
}

/**
 * A limit on the rows that a step drops. It is in force from its creation until its step is closed, in three places:
 *
 *  - a DataFrame write (V1 file sources and Hive) that contains the step is committed only if the gate passes;
 *    otherwise it leaves no file and no `_SUCCESS`, and the previous content stays;
 *  - [[Andiron.guard]] throws after its body if the gate fails;
 *  - a running stage is cancelled as soon as more than `maxDropped` rows are dropped, since further rows cannot change
 *    the result.
 *
 * A write is judged by the evaluations that produced its rows. The result is passed, failed or unknown; unknown is
 * treated as `onUnknown` says. docs/internals/gates.md defines the results.
 *
 * @param maxDropRatio greatest passing value of `dropped / in`
 * @param maxDropped greatest passing number of dropped rows
 * @param minRows least passing number of rows read
 * @param onZeroRows result for a step that has read no rows
 * @param onUnknown result when the counts are not known
 * @param minOutRatio least passing value of `out / in`; for functions that hide dropped rows, such as
 *   `flatMap(row => Try(f(row)).toOption)`
 * @param maxCounters greatest passing value of `counter / in`, by the name of a counter of the step
 */
final class Gate private (
    val step: Step,
    val maxDropRatio: Double,
    val maxDropped: Long,
    val minRows: Long,
    val onZeroRows: ZeroRows,
    val onUnknown: OnUnknown,
    val minOutRatio: Double,
    val maxCounters: Map[String, Double])
    extends OfTheDriver("make and ask gates outside functions, and use counters of the step inside") {

  private val number = Gate.numbers.incrementAndGet()

  /** The gate's declaration, as JSON for the native library. */
  private[andiron] def declaration: ObjectNode = {
    val node = Json.node().put("number", number).put("limit_ratio", maxDropRatio).put("min_rows", minRows)
    if (maxDropped < Long.MaxValue) node.put("limit_rows", maxDropped)
    if (minOutRatio > 0) node.put("min_out_ratio", minOutRatio)
    val counters = Json.node()
    maxCounters.foreach { case (name, most) => counters.put(name, most) }
    if (maxCounters.nonEmpty) node.set[ObjectNode]("max_counters", counters)
    node.put("zero_rows", onZeroRows.word).put("unknown_rows", onUnknown.word)
  }

  /** The limits and the scope of one judgement, as JSON for the native library. */
  private[andiron] def limits(judged: Judged): String = {
    val node: ObjectNode = Json.node().put("gate", judged.place).put("step_id", step.handle.id).put("max_drop_ratio", maxDropRatio).put("max_dropped", maxDropped)
    node.put("gate_id", number).put("min_rows", minRows).put("zero_rows", onZeroRows.word).put("unknown", onUnknown.word).put("min_out_ratio", minOutRatio)
    val counters = Json.node()
    maxCounters.foreach { case (name, most) => counters.put(name, most) }
    node.set[ObjectNode]("max_counters", counters)
    judged.write.foreach(path => node.put("write", path))
    judged.scope.foreach { case (kind, number) =>
      node.set[ObjectNode]("scope", Json.node().put(kind, number))
      node.set[ObjectNode]("reached", ReachedJson(judged.reached.filter(_.run.step == step.handle.id)))
      judged.writers.foreach(stages => node.set[ObjectNode]("shuffle_stages", Json.numbers(stages.map(_.toLong))))
    }
    Json.text(node.put("incomplete", judged.incomplete))
  }

  override def toString: String = s"gate on $step"
}

object Gate {
  private val log = LoggerFactory.getLogger(classOf[Gate])
  private val numbers = new java.util.concurrent.atomic.AtomicLong

  /** A gate on `step`, in force from now on. */
  def apply(
      step: Step,
      maxDropRatio: Double = 0.001,
      maxDropped: Long = Long.MaxValue,
      minRows: Long = 0,
      onZeroRows: ZeroRows = ZeroRows.Fail,
      onUnknown: OnUnknown = OnUnknown.Fail,
      minOutRatio: Double = 0,
      maxCounters: Map[String, Double] = Map.empty): Gate = {
    step.requireOpen()
    def bad(what: String): Nothing = throw new SettingException(ErrorCode.BadArgument, s"the gate on $step has $what", null)
    if (!(maxDropRatio >= 0 && maxDropRatio <= 1)) bad(s"a drop ratio of $maxDropRatio, which is not between 0 and 1")
    if (maxDropped < 0) bad(s"a limit of $maxDropped dropped rows")
    if (minRows < 0) bad(s"a limit of $minRows rows")
    if (!(minOutRatio >= 0 && minOutRatio < Double.PositiveInfinity)) bad(s"a minimum out ratio of $minOutRatio")
    maxCounters.foreach { case (name, most) =>
      if (!(most >= 0 && most < Double.PositiveInfinity)) bad(s"a ratio of $most for its counter '$name'")
      step.counter(name)
    }
    val gate = new Gate(step, maxDropRatio, maxDropped, minRows, onZeroRows, onUnknown, minOutRatio, maxCounters)
    step.application match {
      case Some(application) => application.gates.add(gate)
      case None              =>
        val why = s"$gate has no effect, since metrics are off: ${MetricsApplication.whyOff}"
        if (AndironConf.GateWhenOff.in(step.conf) == "fail")
          throw new GateException(ErrorCode.GateUnknown, s"$why. Mend that, or set ${AndironConf.GateWhenOff.key}=warn", step.name, null)
        log.warn(s"$why; Andiron.guard throws instead")
    }
    gate
  }
}
