package andiron

import com.fasterxml.jackson.databind.JsonNode

/**
 * Counts of a step: the figures of its newest completely covered instance.
 *
 * @param counters values by name: `in`, `out`, `dropped` and the user's counters
 * @param exact each row of the input counts exactly once
 * @param reason why the figures are not exact; else empty
 */
final case class StepFigures(step: String, counters: Map[String, Long], exact: Boolean, reason: String) {

  /** Rows read by the step's operators. */
  def in: Long = this("in")

  /** Rows returned by the step's operators. */
  def out: Long = this("out")

  /** Rows whose function threw. */
  def dropped: Long = this("dropped")

  /** The counter `counter`; 0 if it was never counted. */
  def apply(counter: String): Long = counters.getOrElse(counter, 0L)
}

private[andiron] object StepFigures {
  def unknown(step: String, reason: String): StepFigures = StepFigures(step, Map.empty, exact = false, reason)

  def of(step: String, json: JsonNode): StepFigures = {
    var counters = Map.empty[String, Long]
    json.path("counters").fields().forEachRemaining(entry => counters += entry.getKey -> entry.getValue.asLong())
    StepFigures(step, counters, json.path("exact").asBoolean(false), json.path("reason").asText(""))
  }
}
