package andiron.internal.cache

import java.util.concurrent.{ConcurrentHashMap, TimeUnit}
import java.util.concurrent.atomic.AtomicLong

import org.apache.spark.{BarrierTaskContext, SparkEnv, TaskContext}
import org.apache.spark.util.TaskCompletionListener

import andiron.AndironConf
import andiron.internal.boundary.Native

/**
 * All leases of one task attempt: the native attempt and the cursors opened on it.
 *
 * `end` releases them, from any thread, any number of times. The first caller wins: the task's completion listener, the
 * plugin's task callbacks, the reaper, the end of the application, or at the latest the garbage collector once the
 * object is unreachable. Afterwards every cursor of the attempt throws a ReleasedException.
 *
 * @param context the task's context; null outside any task
 */
private[andiron] final class TaskLeases(val context: TaskContext, name: String) {
  private val native = new TaskLeases.Attempt
  // Registered before the native attempt begins: however this constructor or its caller ends, the attempt ends with
  // this object.
  Views.cleaner.register(this, native)
  private val cursors = ConcurrentHashMap.newKeySet[NativeCursor[_]]()
  private val moves = new AtomicLong
  @volatile private var open = true

  /** Handle of the native attempt. */
  val attempt: Long = native.begin(name, context.isInstanceOf[BarrierTaskContext])

  /** False once the attempt has ended. */
  def isOpen: Boolean = open

  def add(cursor: NativeCursor[_]): Unit = {
    cursors.add(cursor)
    if (!open) cursor.expire()
  }

  /**
   * Time during which a wait takes nothing from cursors that are read in alternation: admission over the budget, where
   * possible, serves them better.
   */
  lazy val lastResortNanos: Long = {
    val env = SparkEnv.get
    if (env == null) Long.MaxValue / 2 else TimeUnit.MILLISECONDS.toNanos(AndironConf.DeadlockAfter.in(env.conf)) / 2
  }

  /** Counts a move of one of the cursors and returns its number. */
  def move(): Long = moves.incrementAndGet()

  /**
   * Releases the version of one idle cursor, least recently moved first, for `waiting`, which waits for the budget.
   * That cursor leases its version again with its next row. `anyhow`: includes cursors that are read in alternation
   * with others. Returns whether one was released.
   */
  def takeBack(waiting: NativeCursor[_], anyhow: Boolean): Boolean = {
    val now = if (anyhow) Long.MaxValue else moves.get
    var idle = Vector.empty[NativeCursor[_]]
    cursors.forEach(cursor => if ((cursor ne waiting) && cursor.mayBeTakenBack(now)) idle :+= cursor)
    idle.sortBy(_.lastMove).exists(_.takeBack())
  }

  def remove(cursor: NativeCursor[_]): Unit = cursors.remove(cursor): Unit

  /**
   * Ends the attempt and returns the number of leases still held; 0 if it has already ended. May be repeated after a
   * failure.
   */
  def end(): Int = {
    open = false
    cursors.forEach(cursor => cursor.expire())
    cursors.clear()
    Native.endAttempt(attempt)
  }
}

private object TaskLeases {

  /**
   * The native attempt, separate from its owner. The object exists before the attempt begins, so that a started attempt
   * always has an owner.
   */
  private final class Attempt extends Runnable {
    @volatile private var handle = 0L

    def begin(name: String, barrier: Boolean): Long = {
      handle = Native.beginAttempt(name, barrier)
      handle
    }

    /** Ends the attempt, if necessary, after its owner has become unreachable. */
    override def run(): Unit = if (handle != 0) Native.endAttempt(handle): Unit
  }
}

/** The attempts of this process's tasks. */
private[andiron] final class TaskAttempts {
  private val running = new ConcurrentHashMap[java.lang.Long, TaskLeases]
  private var suspects = Set.empty[Long]

  /**
   * The leases of `context`'s task. The first call registers a completion listener that ends them; for a task that has
   * already completed, they end at once.
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
    // The listener takes no lock: a completed task calls it here, on this thread.
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

  /** Ends the attempt of the task with this id, if there is one. Returns the number of leases still held. */
  def end(taskAttemptId: Long): Int = {
    val leases = running.remove(taskAttemptId)
    if (leases == null) 0 else leases.end()
  }

  def endAll(): Unit = running.keySet.forEach(id => end(id): Unit)

  /**
   * Ends the attempts whose task was already complete at the previous call, which neither the task's listener nor the
   * plugin has ended. Returns the number of leases still held.
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

  /** Text for a task in messages. */
  def name(context: TaskContext): String =
    s"task ${context.taskAttemptId()} (stage ${context.stageId()}.${context.stageAttemptNumber()}, " +
      s"partition ${context.partitionId()}, attempt ${context.attemptNumber()})"
}
