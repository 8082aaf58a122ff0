package andiron.internal.metrics

import java.util.concurrent.atomic.AtomicLong

import scala.reflect.ClassTag

import org.apache.spark.{Partition, Partitioner, TaskContext}
import org.apache.spark.andironshim.{StepEnds, StepInstance, StepOperator, StepRuns}
import org.apache.spark.rdd.RDD
import org.apache.spark.andironshim.PrivateTypes.InternalRow

/** The evaluation of an instance. */
private[andiron] trait StepBody[T, U] extends Serializable {
  def handle: StepHandle
  def site: StepSite

  /** Evaluates the rows of a partition. `cell` is null if nothing is counted. */
  def apply(rows: Iterator[T], cell: StepCell): Iterator[U]
}

/** The function of a step's operator on the rows of a partition. */
private[andiron] abstract class StepFunction[T, U] extends (Iterator[T] => Iterator[U]) with StepOperator with StepBody[T, U] {

  /** As `apply`, with conversions from input rows to objects and from results to rows. */
  def over[I, O](rows: Iterator[I], cell: StepCell, ends: StepEnds[I, T, U, O]): Iterator[O]

  override def apply(rows: Iterator[T], cell: StepCell): Iterator[U] = over(rows, cell, SameEnds.of[T, U])

  /** Evaluates without counting, for plans without Andiron's own operator. */
  override def apply(rows: Iterator[T]): Iterator[U] = apply(rows, null)

  override def stepId: Long = handle.id

  override def siteId: Long = site.id

  override def label: String = s"${handle.name}: ${site.label}"

  override def execute(rows: RDD[InternalRow], ends: Int => StepEnds[InternalRow, Any, Any, InternalRow]): RDD[InternalRow] = {
    val body = new RowsOfObjects(this.asInstanceOf[StepFunction[Any, Any]], ends)
    if (handle.isCounted) new StepRDD(rows, body, keepsPartitioning = true) else rows.mapPartitions(body(_, null), preservesPartitioning = true)
  }

  override def toString: String = s"step '${handle.name}', ${site.label}"
}

/**
 * An operator of a step over the rows of `parent`. Each StepRDD is an instance of its site: one physical execution of
 * the operator, whose partitions may be evaluated any number of times and count once.
 */
private[andiron] final class StepRDD[T, U: ClassTag](parent: RDD[T], f: StepBody[T, U], keepsPartitioning: Boolean)
    extends RDD[U](parent) with StepInstance {

  override val instance: Long = StepRDD.instances.incrementAndGet()

  // Set on the driver before the first task is created; tasks receive it with the RDD.
  private var total = 0

  @transient override val partitioner: Option[Partitioner] = if (keepsPartitioning) parent.partitioner else None

  override def stepId: Long = f.handle.id

  override def siteId: Long = f.site.id

  StepRuns.made(this)

  override protected def getPartitions: Array[Partition] = {
    val all = dependencies.head.rdd.partitions
    total = all.length
    if (total == 0) f.handle.accumulator.tell(CellEncoder.empty(f.handle, f.site, instance))
    all
  }

  override def compute(split: Partition, context: TaskContext): Iterator[U] = {
    val rows = dependencies.head.rdd.asInstanceOf[RDD[T]].iterator(split, context)
    val cell = TaskCells.of(context).begin(f.handle, f.site, instance, split.index, total)
    f(rows, cell)
  }
}

private[andiron] object StepRDD {
  private val instances = new AtomicLong
}

/** Applies a step's function to the objects of rows. */
private final class RowsOfObjects(f: StepFunction[Any, Any], ends: Int => StepEnds[InternalRow, Any, Any, InternalRow]) extends StepBody[InternalRow, InternalRow] {
  override val handle: StepHandle = f.handle
  override val site: StepSite = f.site

  override def apply(rows: Iterator[InternalRow], cell: StepCell): Iterator[InternalRow] = f.over(rows, cell, ends(TaskContext.getPartitionId()))
}
