package andiron.internal.metrics

import scala.collection.mutable

import org.apache.spark.scheduler.StageInfo

/**
 * Where in the user's program stages come from. Spark 4.1 starts the stages of a query on threads of its own and names them after those; the
 * query's description is the place then. One thread.
 */
private[andiron] final class CallSites {
  private val executions = mutable.HashMap.empty[Long, String]
  private val stages = mutable.HashMap.empty[Int, String]

  def began(execution: Long, description: String): Unit = executions(execution) = description

  def ended(execution: Long): Unit = executions.remove(execution): Unit

  /** The place of a stage that begins, of a query if `execution` says so. */
  def submitted(stage: StageInfo, execution: Option[Long]): String = {
    val site = of(stage, execution)
    if (site != stage.name) stages(stage.stageId) = site
    site
  }

  /** The place of a stage that has ended. */
  def completed(stage: StageInfo): String = stages.remove(stage.stageId).getOrElse(stage.name)

  /** The place of a stage that may begin later. */
  def of(stage: StageInfo, execution: Option[Long]): String =
    if (stage.name.startsWith(CallSites.OfSpark)) execution.flatMap(executions.get).filter(_.nonEmpty).getOrElse(stage.name) else stage.name
}

private object CallSites {
  private val OfSpark = "$anonfun$withThreadLocalCaptured"
}
