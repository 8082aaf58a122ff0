package andiron.internal.metrics

import java.util.concurrent.ConcurrentHashMap

import org.apache.spark.TaskContext
import org.apache.spark.andironshim.{Reached, StepRun}
import org.apache.spark.util.{TaskCompletionListener, TaskFailureListener}
import org.slf4j.LoggerFactory

import andiron.{ErrorCode, GateException}
import andiron.internal.util.Json

/**
 * The cells of one task attempt. They are passed to the accumulators only when the task completes, because Spark's
 * heartbeat serializes accumulators during the task.
 *
 * Several evaluations of a partition in one task count once: an evaluation that has read its whole input replaces one
 * that has not; of several such evaluations one counts, see `Slot`.
 *
 * A cell whose rows are kept downstream is sent to the driver as soon as its input is exhausted, and the task waits for
 * the answer. Spark stores the block after that, so every stored block has its cell on the driver, even if the task
 * fails.
 */
private[andiron] final class TaskCells private (private val context: TaskContext) extends TaskCompletionListener with TaskFailureListener {
  private val slots = new java.util.LinkedHashMap[TaskCells.Key, TaskCells.Slot]
  private val handles = new ConcurrentHashMap[Long, StepHandle]
  private var hasFailed = false
  private var isFiled = false

  /** A new cell for an evaluation that begins. */
  def begin(handle: StepHandle, site: StepSite, instance: Long, partition: Int, partitions: Int): StepCell = synchronized {
    val cell = new StepCell(handle, site, instance, partition, partitions, KeptRows.isBelow, this)
    handles.put(handle.id, handle)
    slots.computeIfAbsent(TaskCells.key(cell), _ => new TaskCells.Slot).begin(cell)
    cell
  }

  def completed(cell: StepCell): Unit = {
    if (cell.isKept) DriverLink.tell(new CellEncoder(context, CellEncoder.Early).encode(Seq(cell)))
    // Only such a cell can complete an instance that has dropped all of its rows.
    if (cell.in == cell.dropped)
      DriverLink.emptied(cell.instance, context.stageId(), new CellEncoder(context, CellEncoder.Early).encode(Seq(cell)), question(cell)).foreach { why =>
        throw new GateException(ErrorCode.AllDropped, why, cell.handle.name, null)
      }
  }

  private def question(cell: StepCell): String = {
    val reached = Reached(StepRun(cell.handle.id, cell.site.id, cell.instance), behind = false, partial = false, cell.partitions)
    Json.text(AllDropped.question(Seq(reached)).put("stage", context.stageId()).put("rows", cell.in)
      .put("streaming", UnguardedActions.isStreaming(context.getLocalProperty(_))))
  }

  override def onTaskFailure(context: TaskContext, error: Throwable): Unit = quietly {
    synchronized {
      hasFailed = true
      if (isFiled) file()
    }
  }

  override def onTaskCompletion(completed: TaskContext): Unit = quietly {
    TaskCells.running.remove(context.taskAttemptId(), this)
    val cut = synchronized {
      isFiled = true
      file()
      filed.filter(cell => cell.isKept && !cell.isComplete)
    }
    // The rows may be in a block, and the scheduler discards the accumulators of a killed task whose stage has ended.
    if (cut.nonEmpty) DriverLink.tell(new CellEncoder(context, CellEncoder.Early).encode(cut))
  }

  private def filed: Vector[StepCell] = {
    var all = Vector.empty[StepCell]
    slots.values.forEach(slot => all :+= slot.filed)
    all
  }

  private def file(): Unit = {
    val all = new java.util.LinkedHashMap[StepAccumulator, Vector[StepCell]]
    filed.foreach(cell => all.merge(cell.handle.accumulator, Vector(cell), (a, b) => a ++ b))
    all.values.forEach(cells => cells.head.outside += OutsideAdds.take(cells.head.handle.id))
    all.forEach((accumulator, cells) => accumulator.replace(new CellEncoder(context, if (hasFailed) CellEncoder.Failed else CellEncoder.Succeeded).encode(cells)))
  }

  /** A lost count must not fail the task. */
  private def quietly(action: => Unit): Unit =
    try action
    catch { case t: Throwable => TaskCells.log.error("the counts of a task are lost", t) }
}

private[andiron] object TaskCells {
  private final case class Key(step: Long, site: Long, instance: Long, partition: Int)

  /**
   * The evaluations of one partition in one task. The rows of all of them are used, so if their counts differ, the
   * worst counts, and the cell is marked as disputed.
   */
  private final class Slot {
    private var all = Vector.empty[StepCell]

    def begin(cell: StepCell): Unit = {
      // Evaluations with equal counts are merged; a cartesian product evaluates a partition once per row.
      val open = all.filter(!_.isComplete)
      val complete = all.filter(_.isComplete)
      if (complete.size > 1) all = open :+ worst(complete)
      if (open.size > Slot.MostOpen) all = all.filter(_.isComplete) :+ worst(open)
      all :+= cell
    }

    /** The cell to report. */
    def filed: StepCell = {
      val read = all.filter(cell => cell.isComplete || cell.in > 0)
      if (read.isEmpty) all.last else worst(read)
    }

    private def worst(of: Vector[StepCell]): StepCell = {
      val chosen = of.maxBy(cell => (cell.dropped, cell.isComplete, cell.in))
      if (of.exists(_.counters != chosen.counters)) chosen.differs()
      if (of.exists(_.isKept)) chosen.keep()
      if (of.exists(_.isDisputed)) chosen.differs()
      if (of.exists(_.isComplete)) chosen.covered()
      chosen
    }
  }

  private object Slot {
    private val MostOpen = 64
  }

  private val log = LoggerFactory.getLogger(classOf[TaskCells])
  private val running = new ConcurrentHashMap[Long, TaskCells]

  private def key(cell: StepCell): Key = Key(cell.handle.id, cell.site.id, cell.instance, cell.partition)

  /**
   * The cell of the step with this number whose function the calling thread is running in its own task; null if there
   * is none.
   */
  def running(step: Long): StepCell = {
    val context = TaskContext.get()
    val cells = if (context == null) null else running.get(context.taskAttemptId())
    val handle = if (cells == null || (cells.context ne context)) null else cells.handles.get(step)
    if (handle == null) null else handle.running
  }

  /** The cells of `context`'s task. The first call registers the task's listeners. */
  def of(context: TaskContext): TaskCells = {
    val known = running.get(context.taskAttemptId())
    if (known != null && (known.context eq context)) known else begin(context)
  }

  private def begin(context: TaskContext): TaskCells = synchronized {
    val known = running.get(context.taskAttemptId())
    if (known != null && (known.context eq context)) known
    else {
      val made = new TaskCells(context)
      running.put(context.taskAttemptId(), made)
      context.addTaskFailureListener(made)
      context.addTaskCompletionListener(made)
      made
    }
  }
}
