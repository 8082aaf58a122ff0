package andiron.internal.metrics

import java.util.concurrent.ConcurrentHashMap

import org.apache.spark.TaskContext

/**
 * What a task knows of a step. Its counters and operators refer to one handle, and Spark serialises them together, so that in a task
 * they share one copy of it.
 *
 * @param id the step's number in this driver
 * @param limits of the samples of failed rows
 * @param isCounted the application has metrics
 */
private[andiron] final class StepHandle(
    val id: Long, val name: String, val accumulator: StepAccumulator, val limits: SampleLimits, val isCounted: Boolean = true)
    extends Serializable {
  // One thread evaluates the operators of nearly every task, and has these fields; where Spark uses more (a pipe's writer), they have the map.
  @transient private var owner: Thread = _
  @transient private var current: StepCell = _
  @transient @volatile private var others: ConcurrentHashMap[Thread, StepCell] = _

  /** Before a function of the user's is called for a row of `cell`, by the thread that calls it. */
  private[internal] def enter(cell: StepCell): Unit = if (owner eq Thread.currentThread) current = cell else enterElsewhere(cell)

  /** After it has returned or thrown. */
  private[internal] def leave(): Unit =
    if (owner eq Thread.currentThread) current = null else others.remove(Thread.currentThread): Unit

  /**
   * Adds to counter number `index` of the row that this task is computing; false outside the step's functions, which its figures say. A thread
   * that such a function has started counts for the row that the task computes meanwhile. A copy of the handle that came into the task by
   * another way, as by a broadcast, counts on the thread that computes the row.
   */
  def add(index: Int, n: Long): Boolean = {
    val cell = if (owner eq Thread.currentThread) current else null
    if (cell != null) {
      cell.add(index, n)
      true
    } else addElsewhere(index, n)
  }

  private def addElsewhere(index: Int, n: Long): Boolean = {
    val here = if (running != null) running else TaskCells.running(id)
    // A thread of another task counts for none of this one's rows.
    val ofOwner = if (here == null && (owner ne Thread.currentThread) && TaskContext.get() == null) current else null
    if (here != null) here.add(index, n) else if (ofOwner != null) ofOwner.addElsewhere(index, n) else OutsideAdds.note(id)
    here != null || ofOwner != null
  }

  /** The cell whose function the calling thread runs; null if it runs none. */
  private[internal] def running: StepCell = {
    val (me, elsewhere) = (Thread.currentThread, others)
    if (owner eq me) current else if (elsewhere == null) null else elsewhere.get(me)
  }

  private def enterElsewhere(cell: StepCell): Unit = synchronized {
    if (owner == null) {
      owner = Thread.currentThread
      current = cell
    } else {
      if (others == null) others = new ConcurrentHashMap
      others.put(Thread.currentThread, cell): Unit
    }
  }
}

/** What is kept of failed rows. Sizes in bytes. */
private[andiron] final case class SampleLimits(samples: Int, recordBytes: Int, jobBytes: Long)

/** One operator of a step, as tasks know it. `label` is its kind and the place in the user's program. */
private[andiron] final case class StepSite(id: Long, label: String)

/**
 * The counts of one evaluation of one partition of an operator. Written by the thread that evaluates it.
 *
 * @param mayBeKept a block or a checkpoint may hold the rows, whatever becomes of the task
 */
private[andiron] final class StepCell(
    val handle: StepHandle, val site: StepSite, val instance: Long, val partition: Int, val partitions: Int, private var mayBeKept: Boolean, owner: TaskCells) {
  var in = 0L
  var out = 0L
  var dropped = 0L
  private var own = StepCell.NoCounters
  private var elsewhere = StepCell.NoCounters
  private var samples: FailureSamples = _

  /** Additions to the step's counters that came from outside its functions, as far as this cell tells them. */
  var outside = 0L
  @volatile private var exhausted = false

  private var hasOthers = false

  /** A block or a checkpoint may hold the rows, whatever becomes of the task. */
  def isKept: Boolean = mayBeKept

  /** Another evaluation of the partition in the same task is kept. */
  def keep(): Unit = mayBeKept = true

  /** Another evaluation of the partition in the same task has read the input to its end. */
  def covered(): Unit = exhausted = true

  /** Another evaluation of the partition in the same task has counted otherwise. */
  def differs(): Unit = hasOthers = true

  def isDisputed: Boolean = hasOthers

  /** The input has been read to its end. */
  def isComplete: Boolean = exhausted

  /** Before a function of the user's is called for a row. */
  def enter(): Unit = handle.enter(this)

  /** After it has returned or thrown. */
  def leave(): Unit = handle.leave()

  /** By the thread that evaluates it. */
  def add(index: Int, n: Long): Unit = {
    own = StepCell.withRoom(own, index)
    own(index - StepCell.OwnFrom) += n
  }

  /** By any other thread. */
  def addElsewhere(index: Int, n: Long): Unit = synchronized {
    elsewhere = StepCell.withRoom(elsewhere, index)
    elsewhere(index - StepCell.OwnFrom) += n
  }

  /** Counts a row whose function has thrown `error`, and samples it. */
  def drop[T](row: T, error: Throwable, view: RowView[T]): Unit = dropped(error, new FailedRow.Read(row, view))

  /** The same of a row that could not be read, which has these columns. */
  def dropUnread[T](columns: => Seq[(String, Any)], error: Throwable, view: RowView[T]): Unit = dropped(error, new FailedRow.Unread(() => columns, view))

  private def dropped(error: Throwable, row: FailedRow): Unit = {
    dropped += 1
    if (samples == null) samples = new FailureSamples(this)
    samples.add(row, error)
  }

  /** Notes that the input is exhausted. Idempotent. */
  def complete(): Unit = if (!exhausted) {
    exhausted = true
    owner.completed(this)
  }

  /** Every counter with its index. */
  def counters: Seq[(Int, Long)] = synchronized {
    val all = own.zipAll(elsewhere, 0L, 0L).map { case (a, b) => a + b }
    Seq(0 -> in, 1 -> out, 2 -> dropped) ++ all.indices.collect { case i if all(i) != 0 => (i + StepCell.OwnFrom) -> all(i) } ++
      Seq(StepCell.Outside -> outside).filter(_._2 > 0)
  }

  def failures: Option[FailureSamples] = Option(samples)
}

private[andiron] object StepCell {

  /** The index of the first counter of the user's own. */
  val OwnFrom = 3

  /** The most counters of the user's own that a step can have. */
  val MostOwn = 252

  /** The index of what no counter is: [[StepCell.outside]]. */
  val Outside = 255

  private val NoCounters = new Array[Long](0)

  private def withRoom(counts: Array[Long], index: Int): Array[Long] =
    if (index - OwnFrom < counts.length) counts else java.util.Arrays.copyOf(counts, index - OwnFrom + 1)
}
