package org.apache.spark.andironshim

import org.apache.spark.rdd.RDD
import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.catalyst.expressions.{Attribute, Expression, NamedExpression}
import org.apache.spark.sql.catalyst.plans.physical.Partitioning
import org.apache.spark.sql.execution.{ObjectProducerExec, SparkPlan, UnaryExecNode}
import org.apache.spark.sql.types.DataType

/**
 * A step's operator in a physical plan. Each execution is a separate instance, with its own partitions. The operator
 * deserializes rows itself, so that a row that cannot be deserialized fails alone.
 */
private[andironshim] trait StepExec extends UnaryExecNode {
  def step: StepOperator

  /** The deserializer of the child's rows; None if the child produces objects. */
  def deserializer: Option[Expression]

  protected def writing: StepEnds.Writing

  override def nodeName: String = s"AndironStep ${step.label}"

  override def outputPartitioning: Partitioning = child.outputPartitioning

  override protected def doExecute(): RDD[InternalRow] = {
    val rows = step.execute(child.execute(), StepEnds.of(StepEnds.Reading(deserializer, child.output), writing))
    rows match {
      case instance: StepInstance => made.add(instance)
      case _                      =>
    }
    rows
  }

  @transient private lazy val made = new java.util.concurrent.ConcurrentLinkedQueue[StepInstance]

  /** Its executions, in order. */
  private[andironshim] def instances: Seq[StepInstance] = made.toArray(Array.empty[StepInstance]).toSeq
}

/** A step operator whose objects another operator reads. */
private[andironshim] final case class StepObjectsExec(step: StepOperator, deserializer: Option[Expression], outputObjAttr: Attribute, child: SparkPlan)
    extends StepExec with ObjectProducerExec {
  override protected def writing: StepEnds.Writing = StepEnds.Writing(None, outputObjectType)

  override protected def withNewChildInternal(newChild: SparkPlan): StepObjectsExec = copy(child = newChild)
}

/** A step operator that serializes its objects, which are of type `kind`. */
private[andironshim] final case class StepRowsExec(
    step: StepOperator, deserializer: Option[Expression], kind: DataType, serializer: Seq[NamedExpression], child: SparkPlan)
    extends StepExec {
  override def output: Seq[Attribute] = serializer.map(_.toAttribute)

  override protected def writing: StepEnds.Writing = StepEnds.Writing(Some(serializer), kind)

  override protected def withNewChildInternal(newChild: SparkPlan): StepRowsExec = copy(child = newChild)
}
