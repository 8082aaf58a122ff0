package andiron.internal.cache

import java.util.concurrent.{ConcurrentHashMap, TimeUnit}
import java.util.concurrent.atomic.AtomicLong

import org.apache.spark.{BarrierTaskContext, SparkEnv, TaskContext}
import org.apache.spark.util.TaskCompletionListener

import andiron.AndironConf
import andiron.internal.boundary.Native

/**
 * Everything that one task attempt holds: the native attempt, and the cursors that were opened on it.
 *
 * `end` releases it all, from any thread, any number of times. Whoever ends first wins: the task's completion listener, the plugin's
 * task callbacks, the reaper, or the end of the application; at the latest the collector, once nobody can reach it. After it every cursor of
 * the attempt throws a ReleasedException.
 *
 * @param context the task's, or null outside any task
 */
private[andiron] final class TaskLeases(val context: TaskContext, name: String) {
  private val native = new TaskLeases.Attempt
  // Before there is anything to end: whatever ends this constructor, or what called it, the attempt goes with this object.
  Views.cleaner.register(this, native)
  private val cursors = ConcurrentHashMap.newKeySet[NativeCursor[_]]()
  private val moves = new AtomicLong
  @volatile private var open = true

  /** The native attempt. */
  val attempt: Long = native.begin(name, context.isInstanceOf[BarrierTaskContext])

  /** False once the attempt has ended. */
  def isOpen: Boolean = open

  def add(cursor: NativeCursor[_]): Unit = {
    cursors.add(cursor)
    if (!open) cursor.expire()
  }

  /** How long a wait takes back from none that is read in turn with others: admission over the budget serves these better, where there is room. */
  lazy val lastResortNanos: Long = {
    val env = SparkEnv.get
    if (env == null) Long.MaxValue / 2 else TimeUnit.MILLISECONDS.toNanos(AndironConf.DeadlockAfter.in(env.conf)) / 2
  }

  /** Counts a move of one of the cursors; the how manieth. */
  def move(): Long = moves.incrementAndGet()

  /**
   * Releases the version of one idle cursor, if one lets it go, the one that has moved least recently; for `waiting`, which waits for the budget. The
   * cursor takes the version again with its next row. `anyhow`: also of one that is read in turn with others.
   */
  def takeBack(waiting: NativeCursor[_], anyhow: Boolean): Boolean = {
    val now = if (anyhow) Long.MaxValue else moves.get
    var idle = Vector.empty[NativeCursor[_]]
    cursors.forEach(cursor => if ((cursor ne waiting) && cursor.mayBeTakenBack(now)) idle :+= cursor)
    idle.sortBy(_.lastMove).exists(_.takeBack())
  }

  def remove(cursor: NativeCursor[_]): Unit = cursors.remove(cursor): Unit

  /** Returns how many leases were still held; 0 once it has ended. A call that fails half-way can be made again. */
  def end(): Int = {
    open = false
    cursors.forEach(cursor => cursor.expire())
    cursors.clear()
    Native.endAttempt(attempt)
  }
}

private object TaskLeases {

  /** The native attempt, apart from what owns it. It is there before it begins, so that no moment is left at which nothing would end it. */
  private final class Attempt extends Runnable {
    @volatile private var handle = 0L

    def begin(name: String, barrier: Boolean): Long = {
      handle = Native.beginAttempt(name, barrier)
      handle
    }

    /** Ends it if that has not been done, as the last user of its leases is gone. */
    override def run(): Unit = if (handle != 0) Native.endAttempt(handle): Unit
  }
}

/** The attempts of this process's tasks. */
private[andiron] final class TaskAttempts {
  private val running = new ConcurrentHashMap[java.lang.Long, TaskLeases]
  private var suspects = Set.empty[Long]

  /**
   * The leases of `context`'s task. Before it is returned for the first time a completion listener is registered that ends it;
   * for a task that has completed already they are ended at once.
   */
  def of(context: TaskContext): TaskLeases = {
    val known = running.get(context.taskAttemptId())
    if (known != null) known else begin(context)
  }

  private def begin(context: TaskContext): TaskLeases = synchronized {
    val id = context.taskAttemptId()
    val known = running.get(id)
    if (known != null) known
    else {
      val leases = new TaskLeases(context, TaskAttempts.name(context))
      try endWith(context, leases)
      catch {
        case t: Throwable =>
          leases.end()
          throw t
      }
      leases
    }
  }

  private def endWith(context: TaskContext, leases: TaskLeases): Unit = {
    val id = context.taskAttemptId()
    // Within the listener no lock is taken: a completed task calls it here, on this thread.
    context.addTaskCompletionListener(new TaskCompletionListener {
      override def onTaskCompletion(completed: TaskContext): Unit = {
        running.remove(id, leases)
        leases.end(): Unit
      }
    })
    if (leases.isOpen) running.put(id, leases)
    if (!leases.isOpen) running.remove(id, leases)
    ()
  }

  /** Ends the attempt of a task by its id, if it is still there. Returns the number of leases that it still held. */
  def end(taskAttemptId: Long): Int = {
    val leases = running.remove(taskAttemptId)
    if (leases == null) 0 else leases.end()
  }

  def endAll(): Unit = running.keySet.forEach(id => end(id): Unit)

  /**
   * Ends the attempts whose task was complete at the previous call already, so that neither its listener nor the plugin has done it.
   * Returns the number of leases that they still held.
   */
  def reap(): Int = synchronized {
    var now = Set.empty[Long]
    var held = 0
    running.forEach { (id, leases) =>
      if (leases.context.isCompleted())
        if (suspects(id)) held += end(id) else now += id
    }
    suspects = now
    held
  }

  def size: Int = running.size
}

private[andiron] object TaskAttempts {

  /** How messages call a task. */
  def name(context: TaskContext): String =
    s"task ${context.taskAttemptId()} (stage ${context.stageId()}.${context.stageAttemptNumber()}, " +
      s"partition ${context.partitionId()}, attempt ${context.attemptNumber()})"
}
