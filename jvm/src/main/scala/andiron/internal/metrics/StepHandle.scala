package andiron.internal.metrics

import java.util.concurrent.ConcurrentHashMap

import org.apache.spark.TaskContext

/**
 * A step's data in a task. Spark serializes the step's counters and operators together, so in a task they share one
 * copy of the handle.
 *
 * @param id the step's number in this driver
 * @param limits limits on the samples of failed rows
 * @param isCounted whether the application has metrics
 */
private[andiron] final class StepHandle(
    val id: Long, val name: String, val accumulator: StepAccumulator, val limits: SampleLimits, val isCounted: Boolean = true)
    extends Serializable {
  // In almost every task a single thread evaluates the operators and uses these fields; if Spark uses more threads (as
  // for a pipe's writer), the others use the map.
  @transient private var owner: Thread = _
  @transient private var current: StepCell = _
  @transient @volatile private var others: ConcurrentHashMap[Thread, StepCell] = _

  /** Called before the user's function runs for a row of `cell`, by the same thread. */
  private[internal] def enter(cell: StepCell): Unit = if (owner eq Thread.currentThread) current = cell else enterElsewhere(cell)

  /** Called after the function has returned or thrown. */
  private[internal] def leave(): Unit =
    if (owner eq Thread.currentThread) current = null else others.remove(Thread.currentThread): Unit

  /**
   * Adds to counter number `index` for the row that this task is computing. Outside the step's functions it returns
   * false, and the step's figures report it. A thread started by such a function counts for the row that the task is
   * computing at that moment. A copy of the handle that reached the task in another way, such as a broadcast, counts on
   * the thread that computes the row.
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
    // A thread of another task must not count for this task's rows.
    val ofOwner = if (here == null && (owner ne Thread.currentThread) && TaskContext.get() == null) current else null
    if (here != null) here.add(index, n) else if (ofOwner != null) ofOwner.addElsewhere(index, n) else OutsideAdds.note(id)
    here != null || ofOwner != null
  }

  /** The cell whose function the calling thread is running; null if there is none. */
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

/** Limits on the samples of failed rows. Sizes in bytes. */
private[andiron] final case class SampleLimits(samples: Int, recordBytes: Int, jobBytes: Long)

/** One operator of a step, in the form sent to tasks. `label` is its kind and its call site in the user's program. */
private[andiron] final case class StepSite(id: Long, label: String)

/**
 * Counts of one evaluation of one partition of an operator. Written by the evaluating thread.
 *
 * @param mayBeKept a block or a checkpoint may keep the rows, even if the task fails
 */
private[andiron] final class StepCell(
    val handle: StepHandle, val site: StepSite, val instance: Long, val partition: Int, val partitions: Int, private var mayBeKept: Boolean, owner: TaskCells) {
  var in = 0L
  var out = 0L
  var dropped = 0L
  private var own = StepCell.NoCounters
  private var elsewhere = StepCell.NoCounters
  private var samples: FailureSamples = _

  /** Additions to the step's counters outside its functions that this cell reports. */
  var outside = 0L
  @volatile private var exhausted = false

  private var hasOthers = false

  /** Whether a block or a checkpoint may keep the rows, even if the task fails. */
  def isKept: Boolean = mayBeKept

  /** Notes that another evaluation of the partition in the same task is kept. */
  def keep(): Unit = mayBeKept = true

  /** Notes that another evaluation of the partition in the same task has read the whole input. */
  def covered(): Unit = exhausted = true

  /** Notes that another evaluation of the partition in the same task has different counts. */
  def differs(): Unit = hasOthers = true

  def isDisputed: Boolean = hasOthers

  /** Whether the whole input was read. */
  def isComplete: Boolean = exhausted

  /** Called before the user's function runs for a row. */
  def enter(): Unit = handle.enter(this)

  /** Called after the function has returned or thrown. */
  def leave(): Unit = handle.leave()

  /** For the evaluating thread. */
  def add(index: Int, n: Long): Unit = {
    own = StepCell.withRoom(own, index)
    own(index - StepCell.Judged) += n
  }

  /** For all other threads. */
  def addElsewhere(index: Int, n: Long): Unit = synchronized {
    elsewhere = StepCell.withRoom(elsewhere, index)
    elsewhere(index - StepCell.Judged) += n
  }

  /** Counts and samples a row whose function threw `error`. */
  def drop[T](row: T, error: Throwable, view: RowView[T]): Unit = dropped(error, new FailedRow.Read(row, view))

  /** Counts and samples a row with these columns that could not be read. */
  def dropUnread[T](columns: => Seq[(String, Any)], error: Throwable, view: RowView[T]): Unit = dropped(error, new FailedRow.Unread(() => columns, view))

  private def dropped(error: Throwable, row: FailedRow): Unit = {
    dropped += 1
    if (samples == null) samples = new FailureSamples(this)
    samples.add(row, error)
  }

  /** Marks the input as exhausted. Idempotent. */
  def complete(): Unit = if (!exhausted) {
    exhausted = true
    owner.completed(this)
  }

  /** All counters, with their indices. */
  def counters: Seq[(Int, Long)] = synchronized {
    val all = own.zipAll(elsewhere, 0L, 0L).map { case (a, b) => a + b }
    Seq(0 -> in, 1 -> out, 2 -> dropped) ++ all.indices.collect { case i if all(i) != 0 => (i + StepCell.Judged) -> all(i) } ++
      Seq(StepCell.Outside -> outside).filter(_._2 > 0)
  }

  def failures: Option[FailureSamples] = Option(samples)
}

private[andiron] object StepCell {

  /**
   * The counters of every step, by index; the user's counters follow. The code that counts a new one adds it by
   * `cell.add(BuiltIn.indexOf(name), n)`.
   */
  val BuiltIn: Vector[String] = Vector("in", "out", "dropped")

  /** Number of the first built-in counters, which have fields of their own and which the core's gates judge by. */
  val Judged = 3

  /** Maximum number of a step's further counters. */
  val Most = 252

  /** Index of [[StepCell.outside]], which is not a counter. */
  val Outside = 255

  private val NoCounters = new Array[Long](0)

  private def withRoom(counts: Array[Long], index: Int): Array[Long] =
    if (index - Judged < counts.length) counts else java.util.Arrays.copyOf(counts, index - Judged + 1)
}
