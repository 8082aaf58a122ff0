package andiron.internal.cache

import java.util.{Collections, WeakHashMap}

/** Cursors and leases that belong to no task: each has an attempt of its own, which ends when it is closed or no longer reachable. */
private[andiron] final class OutsideTasks {
  // A cursor or lease keeps its attempt reachable, and whoever has its value keeps the cursor or lease.
  private val running = Collections.newSetFromMap(new WeakHashMap[TaskLeases, java.lang.Boolean])

  def begin(): TaskLeases = {
    val leases = new TaskLeases(null, s"thread ${Thread.currentThread().getName}, outside any task")
    synchronized(running.add(leases))
    leases
  }

  def end(leases: TaskLeases): Unit = {
    synchronized(running.remove(leases))
    leases.end()
    ()
  }

  def endAll(): Unit = {
    val left = synchronized {
      val left = running.toArray(Array.empty[TaskLeases])
      running.clear()
      left
    }
    left.foreach(leases => leases.end(): Unit)
  }
}
