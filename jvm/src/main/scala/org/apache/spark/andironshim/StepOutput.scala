package org.apache.spark.andironshim

import java.util.function.{Function => JavaFunction}
import java.util.stream.{Stream => JavaStream}

import scala.util.control.NonFatal

import org.apache.spark.rdd.RDD
import org.apache.spark.sql.catalyst.AliasIdentifier
import org.apache.spark.sql.catalyst.expressions.Attribute
import org.apache.spark.sql.catalyst.plans.logical.{Aggregate, Filter, Join, LogicalPlan, Project, SerializeFromObject, SubqueryAlias}
import org.apache.spark.sql.catalyst.rules.Rule
import org.apache.spark.sql.catalyst.trees.TreeNodeTag
import org.apache.spark.sql.execution.{ExternalRDD, LogicalRDD}

/**
 * Marks the output of a step in an analysed plan. `DataFrameWriter.saveAsTable` traverses a plan once before it drops
 * the table that it overwrites, and plans nothing before that: this node lets a gate act at that moment. It is an alias
 * without a qualifier, which the optimizer removes.
 */
private[andironshim] final class StepOutput(name: AliasIdentifier, plan: LogicalPlan) extends SubqueryAlias(name, plan) {
  override def output: Seq[Attribute] = child.output

  override def metadataOutput: Seq[Attribute] = child.metadataOutput

  override def foreach(f: LogicalPlan => Unit): Unit = {
    if (StepOutput.isBeforeDrop) GatedWrites.overwrites(child)
    super.foreach(f)
  }

  override protected def withNewChildInternal(newChild: LogicalPlan): StepOutput = new StepOutput(identifier, newChild)
}

private[andironshim] object StepOutput {
  private val Name = AliasIdentifier("andiron_step")
  private val Known = TreeNodeTag[Unit]("andiron.step.output")

  def of(plan: LogicalPlan): LogicalPlan = if (plan.getTagValue(Known).nonEmpty) plan else {
    plan.setTagValue(Known, ())
    new StepOutput(Name, plan)
  }

  /** The command that drops the table, since Spark 4.1. */
  private val Command = "org.apache.spark.sql.execution.command.SaveAsV1TableCommand"

  private val walker = StackWalker.getInstance()

  private val first: JavaFunction[JavaStream[StackWalker.StackFrame], java.lang.Boolean] =
    frames => frames.filter(frame => !ofTree(frame.getClassName)).findFirst().map[java.lang.Boolean](dropsNext(_)).orElse(false)

  /** Whether the traversal of the plan was started by a `saveAsTable` that is about to drop a table. */
  private def isBeforeDrop: Boolean = GatedWrites.isNeeded && walker.walk[java.lang.Boolean](first)

  private def ofTree(name: String): Boolean =
    name.startsWith("org.apache.spark.sql.catalyst.") || name.startsWith("org.apache.spark.andironshim.") || name.startsWith("scala.")

  private def dropsNext(frame: StackWalker.StackFrame): Boolean = {
    val name = frame.getClassName
    name.startsWith(Command) || name.startsWith("org.apache.spark.sql.") && name.contains("DataFrameWriter") && frame.getMethodName.contains("saveAsTable")
  }
}

/** Puts [[StepOutput]] above the operators of steps, and above RDDs that contain some. */
private[andironshim] object StepOutputs extends Rule[LogicalPlan] {
  override def apply(plan: LogicalPlan): LogicalPlan =
    if (!GatedWrites.isNeeded) plan
    else
      plan.resolveOperatorsUp {
        case rows @ SerializeFromObject(_, MapOfStep(_))       => StepOutput.of(rows)
        case rows: LogicalRDD if hasStep(rows.rdd)             => StepOutput.of(rows)
        case rows @ SerializeFromObject(_, all: ExternalRDD[_]) if hasStep(all.rdd) => StepOutput.of(rows)
        // Spark does not traverse sub-queries before it drops a table.
        case rows @ (_: Filter | _: Project | _: Aggregate | _: Join) if rows.resolved && rows.subqueries.exists(readsStep) => StepOutput.of(rows)
      }

  private def readsStep(plan: LogicalPlan): Boolean = plan.exists(_.isInstanceOf[StepOutput])

  /**
   * True also for a checkpoint, which may hide steps, and on errors; [[GatedWrites.overwrites]] then reports the
   * reason.
   */
  private def hasStep(rdd: RDD[_]): Boolean =
    try RddWalk.hasStep(rdd, new JobLineage)
    catch { case _: LinkageError | NonFatal(_) => true }
}
