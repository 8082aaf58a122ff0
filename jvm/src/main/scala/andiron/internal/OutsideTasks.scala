package andiron.internal

import java.lang.ref.WeakReference
import java.util.concurrent.ConcurrentHashMap

/** Cursors and leases that belong to no task: each has an attempt of its own, which ends when it is closed or no longer reachable. */
private[andiron] final class OutsideTasks {
  private val running = new ConcurrentHashMap[java.lang.Long, WeakReference[TaskLeases]]

  def begin(): TaskLeases = {
    val leases = new TaskLeases(null, s"thread ${Thread.currentThread().getName}, outside any task")
    running.put(leases.attempt, new WeakReference(leases))
    leases
  }

  /** Ends the attempt when `owner` is unreachable, if nobody has closed it before. */
  def endWith(owner: AnyRef, leases: TaskLeases): Unit = {
    Views.cleaner.register(owner, new OutsideTasks.End(running, leases.attempt))
    ()
  }

  def end(leases: TaskLeases): Unit = {
    running.remove(leases.attempt)
    leases.end()
    ()
  }

  def endAll(): Unit = running.forEach { (attempt, reference) =>
    running.remove(attempt)
    val leases = reference.get()
    if (leases != null) leases.end(): Unit else Native.endAttempt(attempt): Unit
  }
}

private[andiron] object OutsideTasks {

  private final class End(running: ConcurrentHashMap[java.lang.Long, WeakReference[TaskLeases]], attempt: Long) extends Runnable {
    override def run(): Unit = {
      running.remove(attempt)
      Native.endAttempt(attempt)
      ()
    }
  }
}
