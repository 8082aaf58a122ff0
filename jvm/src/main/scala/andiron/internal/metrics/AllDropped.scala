package andiron.internal.metrics

import scala.util.control.NonFatal

import com.fasterxml.jackson.databind.node.ObjectNode
import org.apache.spark.andironshim.{MetricsInternals, Reached, WriteScope}
import org.slf4j.LoggerFactory

import andiron.{AndironConf, ErrorCode, GateException}
import andiron.internal.util.Json

/**
 * Fails actions whose steps have dropped all of their rows, unless a gate decides: rule R6 of docs/internals/gates.md.
 * On the driver.
 */
private[andiron] final class AllDropped(application: MetricsApplication) {
  private lazy val warns = AndironConf.OnAllDropped.in(application.context.getConf) == "warn"

  /**
   * Answers a task that has dropped all rows of a partition, or has read none. The answer is one of those in
   * [[AllDropped]].
   */
  def answer(asked: String): String = {
    val question = Json.parse(asked).asInstanceOf[ObjectNode]
    val state = application.ask(question.deepCopy().put("only_look", true)).path("state").asText()
    if (state == "all" || state == "open" && question.path("rows").asLong() > 0) decide(question)
    else if (state == "open") AllDropped.GoOn
    else AllDropped.NeverMore
  }

  private def decide(question: ObjectNode): String = {
    // Whether the job reads only a part is known from events, which arrive through a queue.
    application.barrier(AndironConf.MetricsStopTimeout.in(application.context.getConf)): Unit
    val stage = question.path("stage").asInt()
    val answer = application.ask(question.put("partial", application.unguarded.isPartial(stage)).put("warns", warns))
    if (answer.has("fail")) {
      val message = answer.path("fail").asText()
      MetricsInternals.cancelStage(application.context, stage, message)
      AllDropped.Fail + message
    } else AllDropped.GoOn
  }

  /** Throws if an instance that contributes to a write has dropped all of its rows. */
  def atCommit(scope: WriteScope, isStreaming: Boolean): Unit = if (scope.reached.nonEmpty) {
    val question = AllDropped.question(scope.reached).put("streaming", isStreaming).put("warns", warns)
    question.set[ObjectNode]("scope", Json.node().put("execution", scope.execution))
    scope.writers.filter(_ => application.hasAll).foreach(stages => question.set[ObjectNode]("shuffle_stages", Json.numbers(stages.map(_.toLong))))
    val answer =
      try application.ask(question)
      catch { case NonFatal(e) => AllDropped.log.warn("could not determine whether all rows of a write were dropped", e); Json.node() }
    if (answer.has("fail")) throw new GateException(ErrorCode.AllDropped, answer.path("fail").asText(), answer.path("step").asText(), null)
  }
}

private[andiron] object AllDropped {
  private val log = LoggerFactory.getLogger("andiron.Gate")

  /** Answers to a task. An answer that begins with `Fail` contains the reason. */
  val GoOn = "go on"
  val NeverMore = "never more"
  val Fail = "fail: "

  def question(reached: Seq[Reached]): ObjectNode = {
    val node = Json.node().put("ask", "emptied")
    node.set[ObjectNode]("reached", ReachedJson(reached))
    node
  }
}

private[andiron] object ReachedJson {
  def apply(all: Seq[Reached]): com.fasterxml.jackson.databind.node.ArrayNode = {
    val made = Json.list()
    all.foreach { one =>
      val each = made.addObject().put("site", one.run.site).put("instance", one.run.instance)
      each.put("behind", one.behind).put("partial", one.partial).put("partitions", one.partitions).put("discarded", one.discarded)
    }
    made
  }
}
