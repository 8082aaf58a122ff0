package andiron.internal.metrics

import com.fasterxml.jackson.databind.node.{ArrayNode, ObjectNode}

import org.apache.spark.andironshim.{MetricsInternals, StageLineage}
import org.apache.spark.andironshim.PrivateTypes.PlanInfo
import org.apache.spark.scheduler.{JobSucceeded, SparkListenerJobEnd, SparkListenerJobStart, StageInfo}


import andiron.internal.util.Json

/** Spark's events as JSON, with the fields of docs/internals/wire-format.md. Unknown values are left out. */
private[andiron] object EventJson {
  private val PlanCharacters = 64 << 10
  private val TextCharacters = 4096
  private val MostRdds = 2000
  private val NodeCharacters = 1024

  def stage(stage: StageInfo, site: String): ObjectNode = {
    val node = Json.node().put("stage", stage.stageId).put("attempt", stage.attemptNumber()).put("name", site).put("tasks", stage.numTasks)
    node.put("call_site", site).put("details", cut(stage.details, TextCharacters))
    stage.rddInfos.headOption.foreach { rdd =>
      node.put("rdd", rdd.id).put("partitions", rdd.numPartitions).put("indeterminate", MetricsInternals.isIndeterminate(rdd))
    }
    stage.submissionTime.foreach(time => node.put("submitted_ms", time))
    stage.completionTime.foreach(time => node.put("completed_ms", time))
    stage.failureReason.foreach(reason => node.put("failure", cut(reason, TextCharacters)))
    node
  }

  /** The RDDs of a stage, as needed to detect one that is computed more than once. */
  def rdds(stage: StageInfo): ArrayNode = {
    val all = Json.list()
    stage.rddInfos.take(MostRdds).foreach { rdd =>
      val node = all.addObject().put("id", rdd.id).put("name", cut(rdd.name, 128)).put("partitions", rdd.numPartitions)
      node.put("operation", cut(StageLineage.operation(rdd), 128))
      node.set[ObjectNode]("parents", Json.numbers(rdd.parentIds.map(_.toLong)))
    }
    all
  }

  /** The RDDs of a stage whose rows may come from persisted blocks or a checkpoint. */
  def caches(stage: StageInfo): ArrayNode = {
    val all = Json.list()
    StageLineage.caches(stage).foreach(cache => all.addObject().put("rdd", cache.rdd).put("tells", cache.tells))
    all
  }

  /** Driver values of accumulators, by id. */
  def accumulatorValues(values: Seq[(Long, Any)]): ObjectNode = {
    val node = Json.node()
    val all = node.putArray("values")
    values.foreach {
      case (id, value: Long)   => all.addObject().put("acc", id).put("long", value)
      case (id, value: Double) => all.addObject().put("acc", id).put("double", value)
      case _                   =>
    }
    node
  }

  def jobStart(event: SparkListenerJobStart, site: StageInfo => String): ObjectNode = {
    val node = Json.node().put("job", event.jobId).put("submitted_ms", event.time).put("status", "running")
    node.set[ObjectNode]("stages", Json.numbers(event.stageInfos.map(_.stageId.toLong)))
    event.stageInfos.sortBy(_.stageId).lastOption.foreach(last => node.put("call_site", site(last)))
    node
  }

  def jobEnd(event: SparkListenerJobEnd): ObjectNode =
    if (event.jobResult == JobSucceeded) ended(event).put("status", "succeeded")
    else ended(event).put("status", "failed").put("failure", cut(event.jobResult.toString, TextCharacters))

  private def ended(event: SparkListenerJobEnd): ObjectNode = Json.node().put("job", event.jobId).put("ended_ms", event.time)

  def plan(execution: Long, text: String, plan: PlanInfo): ObjectNode = {
    val node = Json.node().put("execution", execution).put("plan", cut(text, PlanCharacters))
    node.set[ObjectNode]("nodes", nodes(plan))
    node
  }

  private def nodes(plan: PlanInfo): ArrayNode = {
    val all = Json.list()
    var number = 0
    def add(info: PlanInfo, parent: Int): Unit = {
      val node = all.addObject()
      val id = number
      node.put("id", id).put("name", info.nodeName).put("text", cut(info.simpleString, NodeCharacters))
      if (parent >= 0) node.put("parent", parent)
      number += 1
      node.set[ObjectNode]("metrics", Json.numbers(info.metrics.map(_.accumulatorId)))
      info.children.foreach(add(_, id))
    }
    add(plan, -1)
    all
  }

  def cut(text: String, characters: Int): String = if (text == null) "" else FailureSamples.cut(text, characters)
}
