package andiron.internal.cache

import java.util.{Collections, WeakHashMap}

/** Cursors and leases outside tasks. Each has its own attempt, which ends when it is closed or becomes unreachable. */
private[andiron] final class OutsideTasks {
  // The weak set does not end attempts early: a cursor or lease keeps its attempt reachable, and a value keeps its
  // cursor or lease.
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
