package org.apache.spark.andironshim

import org.apache.spark.{Partition, Partitioner, TaskContext}
import org.apache.spark.rdd.RDD
import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.catalyst.expressions.{Attribute, SortOrder}
import org.apache.spark.sql.catalyst.expressions.codegen.{CodegenContext, ExprCode}
import org.apache.spark.sql.catalyst.plans.physical.Partitioning
import org.apache.spark.sql.execution.{CodegenSupport, SparkPlan, UnaryExecNode}

/**
 * Marks an operator that reads steps from the side, through a broadcast or a sub-query. Those rows reach the operator's
 * output through no RDD, so the lineage of `Dataset.rdd` or of a checkpoint lacks them. This node returns its child's
 * rows unchanged, through an RDD that records the side inputs.
 *
 * @param removed instances, and RDDs that contain some, that adaptive execution removed from the plan of which this is
 *   the root
 */
private[andironshim] final case class StepSidesExec(removed: Seq[RDD[_]], child: SparkPlan) extends UnaryExecNode with CodegenSupport {
  override def nodeName: String = "AndironSides"

  override def output: Seq[Attribute] = child.output

  override def outputPartitioning: Partitioning = child.outputPartitioning

  override def outputOrdering: Seq[SortOrder] = child.outputOrdering

  /** The mark must not make two otherwise equal plans different. */
  override protected def doCanonicalize(): SparkPlan = child.canonicalized

  override protected def doExecute(): RDD[InternalRow] = marked(child.execute())

  override def supportCodegen: Boolean = child match {
    case generating: CodegenSupport => generating.supportCodegen
    case _                          => false
  }

  /** Called after generated code has awaited the broadcasts and sub-queries. */
  override def inputRDDs(): Seq[RDD[InternalRow]] = {
    val rows = generating.inputRDDs()
    rows.headOption.map(marked).toSeq ++ rows.drop(1)
  }

  override protected def doProduce(context: CodegenContext): String = generating.produce(context, this)

  override def doConsume(context: CodegenContext, input: Seq[ExprCode], row: ExprCode): String = consume(context, input)

  override protected def withNewChildInternal(newChild: SparkPlan): StepSidesExec = copy(child = newChild)

  private def generating: CodegenSupport = child.asInstanceOf[CodegenSupport]

  private def marked(rows: RDD[InternalRow]): RDD[InternalRow] = {
    val sides = StepSides.executed(child, removed)
    if (sides.isEmpty) rows else new StepSidesRDD(rows, sides)
  }
}

/**
 * The inputs of a plan's rows that are not in its lineage.
 *
 * @param rdds the roots of their lineages
 * @param others instances removed by adaptive execution, and instances of operators that execute plans themselves
 * @param isUnsure an operator of a step, or a cache, has no known execution
 */
private[andironshim] final case class Sides(rdds: Seq[RDD[_]], others: Seq[Reached], isUnsure: Boolean) {
  def isEmpty: Boolean = rdds.isEmpty && others.isEmpty && !isUnsure
}

/** Passes rows through unchanged and records their sides. */
private[andironshim] final class StepSidesRDD(rows: RDD[InternalRow], @transient val sides: Sides) extends RDD[InternalRow](rows) {
  StepRuns.besides(id, Beside(sides.rdds.map(_.id).toSet, sides.others))

  override val partitioner: Option[Partitioner] = rows.partitioner

  override protected def getPartitions: Array[Partition] = firstParent[InternalRow].partitions

  override def compute(split: Partition, context: TaskContext): Iterator[InternalRow] = firstParent[InternalRow].iterator(split, context)
}
