package andiron.internal

import java.util.concurrent.atomic.AtomicLong

import scala.reflect.ClassTag

import org.apache.spark.{Partition, Partitioner, TaskContext}
import org.apache.spark.andironshim.{StepInstance, StepOperator, StepRuns}
import org.apache.spark.rdd.RDD
import org.apache.spark.sql.catalyst.InternalRow

/** What an operator of a step does with the rows of a partition. `cell` is null where nothing is counted. */
private[andiron] abstract class StepFunction[T, U] extends (Iterator[T] => Iterator[U]) with StepOperator with Serializable {
  val handle: StepHandle
  val site: StepSite

  def apply(rows: Iterator[T], cell: StepCell): Iterator[U]

  /** Without counting: what is executed where Andiron's own operator is not. */
  override def apply(rows: Iterator[T]): Iterator[U] = apply(rows, null)

  override def stepId: Long = handle.id

  override def siteId: Long = site.id

  override def label: String = s"${handle.name}: ${site.label}"

  override def execute(rows: RDD[InternalRow], read: Int => InternalRow => Any, wrap: () => Any => InternalRow): RDD[InternalRow] =
    new StepRDD(rows, new RowsOfObjects(this.asInstanceOf[StepFunction[Any, Any]], read, wrap), keepsPartitioning = true)

  override def toString: String = s"step '${handle.name}', ${site.label}"
}

/**
 * An operator of a step over the rows of `parent`. Each StepRDD is an instance of its site: one physical execution of the operator, whose
 * partitions may be evaluated any number of times and count once.
 */
private[andiron] final class StepRDD[T, U: ClassTag](parent: RDD[T], f: StepFunction[T, U], keepsPartitioning: Boolean)
    extends RDD[U](parent) with StepInstance {

  override val instance: Long = StepRDD.instances.incrementAndGet()

  // Known on the driver before the first task is made; tasks get it with the RDD.
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

/** A step's function over the objects of rows. */
private final class RowsOfObjects(f: StepFunction[Any, Any], read: Int => InternalRow => Any, wrap: () => Any => InternalRow)
    extends StepFunction[InternalRow, InternalRow] {
  override val handle: StepHandle = f.handle
  override val site: StepSite = f.site

  override def apply(rows: Iterator[InternalRow], cell: StepCell): Iterator[InternalRow] =
    new RowsOfObjects.Each(f(new RowsOfObjects.Each(rows, read(TaskContext.getPartitionId())), cell), wrap())
}

private object RowsOfObjects {

  /** As `map`, in one class whose calls the compiler sees through. */
  private final class Each[T, U](rows: Iterator[T], f: T => U) extends Iterator[U] {
    override def hasNext: Boolean = rows.hasNext
    override def next(): U = f(rows.next())
  }
}
