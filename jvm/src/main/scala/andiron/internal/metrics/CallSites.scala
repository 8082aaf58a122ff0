package andiron.internal.metrics

import scala.collection.mutable

import org.apache.spark.andironshim.SparkNames
import org.apache.spark.scheduler.StageInfo

/**
 * Call sites of stages in the user's program. Spark 4.1 starts the stages of a query on internal threads and names the
 * stages after them; the query's description then replaces the call site. One thread.
 */
private[andiron] final class CallSites {
  private val executions = mutable.HashMap.empty[Long, String]
  private val stages = mutable.HashMap.empty[Int, String]

  def began(execution: Long, description: String): Unit = executions(execution) = description

  def ended(execution: Long): Unit = executions.remove(execution): Unit

  /** The call site of a stage that begins; of a query's stage if `execution` is given. */
  def submitted(stage: StageInfo, execution: Option[Long]): String = {
    val site = of(stage, execution)
    if (site != stage.name) stages(stage.stageId) = site
    site
  }

  /** The call site of a stage that has ended. */
  def completed(stage: StageInfo): String = stages.remove(stage.stageId).getOrElse(stage.name)

  /** The call site of a stage that may begin later. */
  def of(stage: StageInfo, execution: Option[Long]): String =
    if (stage.name.startsWith(SparkNames.HiddenCallSite)) execution.flatMap(executions.get).filter(_.nonEmpty).getOrElse(stage.name) else stage.name
}
