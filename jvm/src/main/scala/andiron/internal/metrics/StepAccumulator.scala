package andiron.internal.metrics

import java.io.ObjectInputStream

import org.apache.spark.util.AccumulatorV2

/**
 * Carries the cells of a step from its tasks to the driver. It has no name, so that Spark neither shows nor logs what is in it. On an
 * executor it is filled once, when the task completes; on the driver each cell goes to Rust, which merges it idempotently.
 *
 * The driver's own object must be reachable as long as tasks of the step run: Spark refers to it weakly.
 */
private[andiron] final class StepAccumulator extends AccumulatorV2[Array[Byte], Integer] {
  @volatile private var cells: Array[Array[Byte]] = StepAccumulator.None
  @transient private var receiver: StepReceiver = _

  def this(receiver: StepReceiver) = {
    this()
    this.receiver = receiver
  }

  /** On an executor: what the task has to tell, in place of what it has told before. Read by Spark's heartbeat at any time. */
  def replace(filed: Array[Array[Byte]]): Unit = cells = filed

  /** On the driver: a cell that no task brings. */
  def tell(cell: Array[Byte]): Unit = if (receiver != null) receiver.receive(cell)

  override def isZero: Boolean = cells.length == 0
  override def copy(): StepAccumulator = {
    val copied = new StepAccumulator(receiver)
    copied.cells = cells
    copied
  }
  override def reset(): Unit = cells = StepAccumulator.None
  override def add(cell: Array[Byte]): Unit = cells = cells :+ cell

  /** The number of cells: what Spark may print or send beside the accumulator itself. */
  override def value: Integer = cells.length

  /** Runs on the scheduler's thread, and never throws. */
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

/** Where the cells of a step go on the driver. */
private[andiron] trait StepReceiver {

  /** Takes one cell. Does no I/O and throws nothing: the scheduler calls it. */
  def receive(cell: Array[Byte]): Unit
}
