package andiron.internal.metrics

import com.fasterxml.jackson.databind.{JsonNode, ObjectMapper, SerializationFeature}
import com.fasterxml.jackson.databind.node.ObjectNode

/**
 * The figures of a scenario at its end. `truth` and the step's figure are those of the step's own counter; `spark` and `stages` of a named accumulator
 * that counts the same, `foreign` is Andiron's figure for it.
 *
 * @param group which suite it is of: the table's order
 * @param truth how many rows there are
 * @param calls for how many of them the function has run, each counted once: the truth of the named accumulator
 * @param isWhole every row was read, by functions of the step's own that were waited for: the step must be exact
 */
final case class Outcome(
    group: String,
    scenario: String,
    provoked: String,
    truth: Long,
    calls: Long,
    isWhole: Boolean,
    spark: Long,
    stages: Long,
    step: Long,
    stepExact: Boolean,
    stepReason: String,
    foreign: Long,
    foreignExact: Boolean,
    foreignReason: String) {

  /** The faults of the scenario: a wrong figure without a flag, a needless flag of the step, an injected fault that did not happen. */
  def wrong: Option[String] =
    if (provoked.isEmpty) Some("nothing was provoked")
    else if (stepExact && step != truth) Some("the step is wrong in silence")
    else if (isWhole && !stepExact) Some("the step should be exact")
    else if (foreignExact && foreign != calls) Some("the named accumulator is wrong in silence")
    else if (!stepExact && stepReason.isEmpty || !foreignExact && foreignReason.isEmpty) Some("a flag has no reason")
    else None

  def json: ObjectNode = Outcome.mapper.createObjectNode().put("scenario", scenario).put("group", group).put("provoked", provoked).put("truth", truth)
    .put("calls", calls).put("whole", isWhole)
    .put("spark_accumulator", spark).put("stage_info_sum", stages)
    .put("step_committed", step).put("exact", stepExact).put("reason", stepReason)
    .put("foreign_committed", foreign).put("foreign_exact", foreignExact).put("foreign_reason", foreignReason)
}

object Outcome {
  private val mapper = new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT)

  def text(outcomes: Seq[Outcome], spark: String): String = {
    val node = mapper.createObjectNode().put("spark", spark)
    val all = node.putArray("scenarios")
    outcomes.foreach(outcome => all.add(outcome.json))
    mapper.writeValueAsString(node) + "\n"
  }

  def parse(text: String): JsonNode = mapper.readTree(text)

  /** The text of docs/internals/exactness.md. */
  def markdown(json: JsonNode): String = {
    val rows = new StringBuilder
    json.path("scenarios").forEach { s =>
      def flag(exact: String, reason: String): String = if (s.path(exact).asBoolean()) "exact" else s"not exact: ${s.path(reason).asText()}"
      val (all, calls) = (s.path("truth").asLong(), s.path("calls").asLong())
      val truth = if (all == calls) all.toString else s"$all; the function ran for $calls"
      rows ++= Seq(
        s.path("scenario").asText(), s.path("provoked").asText(), truth, s.path("spark_accumulator").asText(), s.path("stage_info_sum").asText(),
        s"${s.path("step_committed").asText()}, ${flag("exact", "reason")}",
        s"${s.path("foreign_committed").asText()}, ${flag("foreign_exact", "foreign_reason")}").mkString("| ", " | ", " |\n")
    }
    s"""# Exactness
       |
       |The figures of each way of counting when Spark computes rows more than once, from blocks, or in part. Generated from
       |`docs/data/exactness.json`, a copy of the file `build/exactness.json` that the suites `Exactness*Suite` write; do not
       |edit by hand. ${json.path("scenarios").size()} scenarios, Spark ${json.path("spark").asText()}. Each scenario provokes its fault, and no figure that says `exact` may
       |differ from the truth.
       |
       |- **truth**: the number of rows, counted without Spark. Where an action reads a part of its input: the rows of the whole
       |  input, and the number of rows for which the function has run. A step that says `exact` has counted the former, a named
       |  accumulator the latter.
       |- **Spark**: a named accumulator that the same function adds to. **stages**: the sum of its updates in the completed
       |  stages.
       |- **step**: the step's own counter. Each row counts once; `not exact` says that this is not certain, with the reason.
       |- **foreign**: Andiron's figure for the named accumulator; of several (each terminal RDD has one, and each branch of a
       |  union with itself) the greatest.
       |
       || scenario | observed | truth | Spark | stages | step | foreign |
       ||---|---|---|---|---|---|---|
       |""".stripMargin + rows
  }
}
