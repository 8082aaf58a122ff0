package andiron.internal.metrics

import java.io.ObjectInputStream

import org.apache.spark.util.AccumulatorV2

/**
 * Carries the cells of a step from its tasks to the driver. It has no name, so that Spark neither shows nor logs its
 * content. On an executor it is filled once, when the task completes; on the driver each cell is passed to the native
 * library, which merges cells idempotently.
 *
 * The driver's object must stay reachable as long as tasks of the step run, because Spark refers to it weakly.
 */
private[andiron] final class StepAccumulator extends AccumulatorV2[Array[Byte], Integer] {
  @volatile private var cells: Array[Array[Byte]] = StepAccumulator.None
  @transient private var receiver: StepReceiver = _

  def this(receiver: StepReceiver) = {
    this()
    this.receiver = receiver
  }

  /** On an executor: replaces the task's cells. Spark's heartbeat may read them at any time. */
  def replace(filed: Array[Array[Byte]]): Unit = cells = filed

  /** On the driver: receives a cell that does not come from a task. */
  def tell(cell: Array[Byte]): Unit = if (receiver != null) receiver.receive(cell)

  override def isZero: Boolean = cells.length == 0
  override def copy(): StepAccumulator = {
    val copied = new StepAccumulator(receiver)
    copied.cells = cells
    copied
  }
  override def reset(): Unit = cells = StepAccumulator.None
  override def add(cell: Array[Byte]): Unit = cells = cells :+ cell

  /** The number of cells. Spark may print or send this value in addition to the accumulator. */
  override def value: Integer = cells.length

  /** Runs on the scheduler's thread and never throws. */
  override def merge(other: AccumulatorV2[Array[Byte], Integer]): Unit = other match {
    case filed: StepAccumulator if receiver != null => filed.cells.foreach(receiver.receive)
    case filed: StepAccumulator                     => cells = cells ++ filed.cells
    case _                                          =>
  }

  private def readObject(in: ObjectInputStream): Unit = {
    in.defaultReadObject()
    if (cells == null) cells = StepAccumulator.None
  }
}

private[andiron] object StepAccumulator {
  private val None = new Array[Array[Byte]](0)
}

/** The driver's receiver of a step's cells. */
private[andiron] trait StepReceiver {

  /** Accepts one cell. Called by the scheduler: it must do no I/O and throw nothing. */
  def receive(cell: Array[Byte]): Unit
}
