package andiron

import com.fasterxml.jackson.databind.JsonNode

/**
 * What a step has counted: the figures of the newest instance of it that is covered whole.
 *
 * @param counters by name: `in`, `out`, `dropped` and the user's own
 * @param exact each row of the input counts once, and all of them do
 * @param reason why it is not exact, or empty
 */
final case class StepFigures(step: String, counters: Map[String, Long], exact: Boolean, reason: String) {

  /** Rows that the step's operators have read. */
  def in: Long = this("in")

  /** Rows that they have given. */
  def out: Long = this("out")

  /** Rows whose function threw. */
  def dropped: Long = this("dropped")

  /** The counter of that name; 0 if it has counted nothing. */
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
