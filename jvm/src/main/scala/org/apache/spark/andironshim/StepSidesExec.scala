package org.apache.spark.andironshim

import org.apache.spark.{Partition, Partitioner, TaskContext}
import org.apache.spark.rdd.RDD
import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.catalyst.expressions.{Attribute, SortOrder}
import org.apache.spark.sql.catalyst.expressions.codegen.{CodegenContext, ExprCode}
import org.apache.spark.sql.catalyst.plans.physical.Partitioning
import org.apache.spark.sql.execution.{CodegenSupport, SparkPlan, UnaryExecNode}

/**
 * Stands above an operator that reads steps from aside: by a broadcast, or by a sub-query. Their rows get into its own by no RDD, so that no lineage
 * of `Dataset.rdd` or of a checkpoint would have them. It gives the rows of its child as they are, through an RDD that names what they come from.
 *
 * @param removed instances, and RDDs with some, that adaptive execution has removed from the plan of which this is the root
 */
private[andironshim] final case class StepSidesExec(removed: Seq[RDD[_]], child: SparkPlan) extends UnaryExecNode with CodegenSupport {
  override def nodeName: String = "AndironSides"

  override def output: Seq[Attribute] = child.output

  override def outputPartitioning: Partitioning = child.outputPartitioning

  override def outputOrdering: Seq[SortOrder] = child.outputOrdering

  /** Two plans are one whether or not it stands in them. */
  override protected def doCanonicalize(): SparkPlan = child.canonicalized

  override protected def doExecute(): RDD[InternalRow] = marked(child.execute())

  override def supportCodegen: Boolean = child match {
    case generating: CodegenSupport => generating.supportCodegen
    case _                          => false
  }

  /** Generated code has awaited the broadcasts and sub-queries when this is called. */
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
 * What the rows of a plan come from besides its lineage.
 *
 * @param rdds where their lineages begin
 * @param others instances that adaptive execution has removed, and those of what executes a plan of its own
 * @param isUnsure an operator of a step, or a cache, has no execution that is known
 */
private[andironshim] final case class Sides(rdds: Seq[RDD[_]], others: Seq[Reached], isUnsure: Boolean) {
  def isEmpty: Boolean = rdds.isEmpty && others.isEmpty && !isUnsure
}

/** Rows as they are, with the sides that they come from. */
private[andironshim] final class StepSidesRDD(rows: RDD[InternalRow], @transient val sides: Sides) extends RDD[InternalRow](rows) {
  StepRuns.besides(id, Beside(sides.rdds.map(_.id).toSet, sides.others))

  override val partitioner: Option[Partitioner] = rows.partitioner

  override protected def getPartitions: Array[Partition] = firstParent[InternalRow].partitions

  override def compute(split: Partition, context: TaskContext): Iterator[InternalRow] = firstParent[InternalRow].iterator(split, context)
}
