package org.apache.spark.andironshim

import java.util.Properties

import org.apache.spark.scheduler.{SparkListenerJobStart, StageInfo}
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan
import org.apache.spark.sql.execution.SparkPlanInfo

/**
 * Something that publishes rows.
 *
 * @param name as Spark calls it
 * @param commits a commit protocol of Andiron's stands before its end
 */
final case class WriteAction(name: String, commits: Boolean)

/** Tells what publishes rows from what returns them to the driver: SQL by the commands of plans, jobs of RDDs by the stack of Spark's own calls. */
object WriteActions {
  private val Committed = Set("InsertIntoHadoopFsRelationCommand", "InsertIntoHiveTable", "InsertIntoHiveDirCommand", "InsertIntoDataSourceDirCommand",
    "CreateDataSourceTableAsSelectCommand", "CreateHiveTableAsSelectCommand", "OptimizedCreateHiveTableAsSelectCommand", "SaveAsV1TableCommand", "WriteFiles")
  // Nodes of both kinds of plan: a physical one has "Exec" in its name, which Spark shows without where it ends it (not in AppendDataExecV1).
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

  /** The write that a plan is. */
  def ofPlan(plan: SparkPlanInfo): Option[WriteAction] = {
    val found = of(plan.nodeName)
    if (found.isEmpty && plan.nodeName == "AdaptiveSparkPlan") plan.children.headOption.flatMap(child => of(child.nodeName)) else found
  }

  /** The write that a plan is before it is executed. */
  def ofPlan(plan: LogicalPlan): Option[WriteAction] = of(plan.nodeName).orElse(of(Execute + plan.nodeName))

  /** Whether a plan gives the driver the first or the last of its rows. */
  def isPartial(plan: SparkPlanInfo): Boolean =
    Partial(plan.nodeName) || plan.nodeName == "AdaptiveSparkPlan" && plan.children.exists(child => Partial(child.nodeName))

  /** Whether a job runs on a part of the partitions of its last RDD. */
  def isPartial(job: SparkListenerJobStart): Boolean =
    last(job).exists(stage => stage.rddInfos.nonEmpty && JobLineage.shuffleOf(stage).isEmpty && stage.numTasks < stage.rddInfos.maxBy(_.id).numPartitions)

  /** The stage whose rows the job is for. */
  def last(job: SparkListenerJobStart): Option[StageInfo] = job.stageInfos.sortBy(_.stageId).lastOption

  /** The write that a job of RDDs is; the stack stays Spark's where the user has named the call site. */
  def ofJob(job: SparkListenerJobStart): Option[WriteAction] = last(job).flatMap { stage =>
    val lines = stage.details.split('\n')
    val method = lines.head.takeWhile(_ != '(').split('.').last
    if (lines.take(2).exists(_.startsWith(Saver)))
      Some(WriteAction(lines.collectFirst { case Save(name) => name }.getOrElse("a save of an RDD"), commits = false))
    else if (ForEach(method)) Some(WriteAction(method, commits = false))
    else ofPython(job.properties, lines.head)
  }

  /** Python's `foreach` counts the rows of a function that gives none; PySpark names the call site. */
  private def ofPython(properties: Properties, stack: String): Option[WriteAction] =
    if (!stack.contains("PythonRDD")) None
    else Option(properties).flatMap(p => Option(p.getProperty(Short))).map(_.takeWhile(_ != ' ')).filter(ForEach).map(WriteAction(_, commits = false))
}
