package andiron

import com.fasterxml.jackson.databind.node.ObjectNode
import org.slf4j.LoggerFactory

import andiron.internal.Json

/** What a gate says of a step that has read no row. */
sealed abstract class ZeroRows private[andiron] (private[andiron] val word: String)

object ZeroRows {
  case object Pass extends ZeroRows("pass")
  case object Fail extends ZeroRows("fail")

  /** For Java. */
  def pass: ZeroRows = Pass
  def fail: ZeroRows = Fail
}

/**
 * A limit on the rows that a step drops. It stands from its making until its step is closed, in three places:
 *
 *  - a DataFrame write (V1 file sources and Hive) of which the step is a part is committed only if the gate passes; else it leaves no file
 *    and no `_SUCCESS`, and what was there before;
 *  - [[Andiron.guard]] throws after its body if the gate fails;
 *  - a running stage is cancelled once more rows are dropped than `maxDropped`, which no further row can mend.
 *
 * A step whose figures are unknown fails the gate.
 *
 * @param maxDropRatio the most of `dropped / in` that passes
 * @param maxDropped the most dropped rows that pass
 * @param minRows the fewest rows read that pass
 * @param onZeroRows what is said of a step that has read no row
 */
final class Gate private (val step: Step, val maxDropRatio: Double, val maxDropped: Long, val minRows: Long, val onZeroRows: ZeroRows) {

  /** For Rust: the limits, which place asks, and of which operators; of all if that is not said. */
  private[andiron] def limits(place: String, write: Option[String], sites: Option[Set[Long]]): String = {
    val node: ObjectNode = Json.node().put("gate", place).put("step_id", step.handle.id).put("max_drop_ratio", maxDropRatio).put("max_dropped", maxDropped)
    node.put("min_rows", minRows).put("zero_rows", onZeroRows.word)
    sites.foreach(ids => node.set[ObjectNode]("sites", Json.numbers(ids)))
    write.foreach(path => node.put("write", path))
    Json.text(node)
  }

  override def toString: String = s"gate on $step"
}

object Gate {
  private val log = LoggerFactory.getLogger(classOf[Gate])

  /** A gate on `step`, which stands from now on. */
  def apply(
      step: Step,
      maxDropRatio: Double = 0.001,
      maxDropped: Long = Long.MaxValue,
      minRows: Long = 0,
      onZeroRows: ZeroRows = ZeroRows.Fail): Gate = {
    step.requireOpen()
    def bad(what: String): Nothing = throw new SettingException(ErrorCode.BadArgument, s"the gate on $step has $what", null)
    if (!(maxDropRatio >= 0 && maxDropRatio <= 1)) bad(s"a drop ratio of $maxDropRatio, which is not between 0 and 1")
    if (maxDropped < 0) bad(s"a limit of $maxDropped dropped rows")
    if (minRows < 0) bad(s"a limit of $minRows rows")
    val gate = new Gate(step, maxDropRatio, maxDropped, minRows, onZeroRows)
    step.application match {
      case Some(application) => application.gates.add(gate)
      case None              => log.warn(s"$gate stands before no write, since metrics are off: Andiron.guard throws in its place")
    }
    gate
  }
}
