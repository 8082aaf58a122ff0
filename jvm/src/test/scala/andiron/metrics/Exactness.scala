package andiron.metrics

import com.fasterxml.jackson.databind.{JsonNode, ObjectMapper, SerializationFeature}
import com.fasterxml.jackson.databind.node.ObjectNode

/**
 * What a scenario ended with. `truth`, and the step's figure, are of the step's own counter; `spark` and `stages` of a named accumulator
 * that counts the same, `foreign` is Andiron's figure for it.
 *
 * @param isTruthKnown false where an action reads a part of its input, so that only the flag can be right
 */
final case class Outcome(
    scenario: String,
    provoked: String,
    truth: Long,
    spark: Long,
    stages: Long,
    step: Long,
    stepExact: Boolean,
    stepReason: String,
    foreign: Long,
    foreignExact: Boolean,
    foreignReason: String) {

  def json: ObjectNode = Outcome.mapper.createObjectNode().put("scenario", scenario).put("provoked", provoked).put("truth", truth)
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

  /** The text of docs/exactness.md. */
  def markdown(json: JsonNode): String = {
    val rows = new StringBuilder
    json.path("scenarios").forEach { s =>
      def flag(exact: String, reason: String): String = if (s.path(exact).asBoolean()) "exact" else s"not exact: ${s.path(reason).asText()}"
      rows ++= Seq(
        s.path("scenario").asText(), s.path("provoked").asText(), s.path("truth").asText(), s.path("spark_accumulator").asText(),
        s.path("stage_info_sum").asText(), s"${s.path("step_committed").asText()}, ${flag("exact", "reason")}",
        s"${s.path("foreign_committed").asText()}, ${flag("foreign_exact", "foreign_reason")}").mkString("| ", " | ", " |\n")
    }
    s"""# Exactness
       |
       |What each way of counting says when Spark computes rows more than once. Made from `docs/data/exactness.json`, a copy of what
       |`ExactnessSuite` and `ExactnessClusterSuite` write to `build/exactness.json`; do not edit by hand. Spark ${json.path("spark").asText()}.
       |
       |- **truth**: how many rows, counted without Spark. Where an action reads a part of its input, the rows of the whole input.
       |- **Spark**: a named `LongAccumulator` that the same function adds to. **stages**: the sum of what the completed stages report of it.
       |- **step**: the step's own counter. Each row counts once; `not exact` says that this cannot be promised, and why.
       |- **foreign**: Andiron's figure for the named accumulator, once per terminal RDD.
       |
       || scenario | what happened | truth | Spark | stages | step | foreign |
       ||---|---|---|---|---|---|---|
       |""".stripMargin + rows
  }
}
