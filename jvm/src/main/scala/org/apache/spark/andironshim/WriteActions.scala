package org.apache.spark.andironshim

import java.util.Properties

import org.apache.spark.scheduler.{SparkListenerJobStart, StageInfo}
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan
import org.apache.spark.sql.execution.SparkPlanInfo

/**
 * An action that publishes rows.
 *
 * @param name Spark's name for it
 * @param commits Andiron's commit protocol applies before it completes
 */
final case class WriteAction(name: String, commits: Boolean)

/**
 * Distinguishes actions that publish rows from actions that return them to the driver: for SQL by the commands in
 * plans, for RDD jobs by the stack of Spark's own calls.
 */
object WriteActions {
  private val Committed = Set("InsertIntoHadoopFsRelationCommand", "InsertIntoHiveTable", "InsertIntoHiveDirCommand", "InsertIntoDataSourceDirCommand",
    "CreateDataSourceTableAsSelectCommand", "CreateHiveTableAsSelectCommand", "OptimizedCreateHiveTableAsSelectCommand", "SaveAsV1TableCommand", "WriteFiles")
  // Nodes of logical and physical plans. The name of a physical node contains "Exec", which Spark omits at the end of a
  // name (but not within, as in AppendDataExecV1).
  private val Commands = "(AppendData|Overwrite|ReplaceData|WriteDelta|WriteTo|(Atomic)?(Create|Replace)TableAsSelect).*".r.pattern
  private val Writes = "(Insert|Save|Write|Merge|Update|Delete).*|.*AsSelect.*".r.pattern
  private val Partial = Set("CollectLimit", "CollectTail")
  private val ForEach = Set("foreach", "foreachPartition", "foreachAsync", "foreachPartitionAsync")
  private val Execute = "Execute "
  private val Short = "callSite.short"
  private val Saver = "org.apache.spark.internal.io.SparkHadoopWriter"
  private val Save = """org\.apache\.spark\.(?:rdd|api\.java)\.[\w.$]*?(saveAs\w+)\(.*""".r

  private def of(node: String): Option[WriteAction] = {
    val name = node.stripPrefix(Execute).trim
    if (Committed(name)) Some(WriteAction(name, commits = true))
    else if (Commands.matcher(name).matches || node.startsWith(Execute) && Writes.matcher(name).matches) Some(WriteAction(name, commits = false))
    else None
  }

  /** The write that a physical plan performs. */
  def ofPlan(plan: SparkPlanInfo): Option[WriteAction] = {
    val found = of(plan.nodeName)
    if (found.isEmpty && plan.nodeName == "AdaptiveSparkPlan") plan.children.headOption.flatMap(child => of(child.nodeName)) else found
  }

  /** The write that a plan will perform when executed. */
  def ofPlan(plan: LogicalPlan): Option[WriteAction] = of(plan.nodeName).orElse(of(Execute + plan.nodeName))

  /** Whether a plan returns only the first or last of its rows to the driver. */
  def isPartial(plan: SparkPlanInfo): Boolean =
    Partial(plan.nodeName) || plan.nodeName == "AdaptiveSparkPlan" && plan.children.exists(child => Partial(child.nodeName))

  /** Whether a job runs on only some partitions of its last RDD. */
  def isPartial(job: SparkListenerJobStart): Boolean =
    last(job).exists(stage => stage.rddInfos.nonEmpty && JobLineage.shuffleOf(stage).isEmpty && stage.numTasks < stage.rddInfos.maxBy(_.id).numPartitions)

  /** The stage that computes the job's result. */
  def last(job: SparkListenerJobStart): Option[StageInfo] = job.stageInfos.sortBy(_.stageId).lastOption

  /** The write that an RDD job performs. The stack remains Spark's even if the user has named the call site. */
  def ofJob(job: SparkListenerJobStart): Option[WriteAction] = last(job).flatMap { stage =>
    val lines = stage.details.split('\n')
    val method = lines.head.takeWhile(_ != '(').split('.').last
    if (lines.take(2).exists(_.startsWith(Saver)))
      Some(WriteAction(lines.collectFirst { case Save(name) => name }.getOrElse("a save of an RDD"), commits = false))
    else if (ForEach(method)) Some(WriteAction(method, commits = false))
    else ofPython(job.properties, lines.head)
  }

  /** PySpark implements `foreach` as a count over a function without results, and names the call site. */
  private def ofPython(properties: Properties, stack: String): Option[WriteAction] =
    if (!stack.contains("PythonRDD")) None
    else Option(properties).flatMap(p => Option(p.getProperty(Short))).map(_.takeWhile(_ != ' ')).filter(ForEach).map(WriteAction(_, commits = false))
}
