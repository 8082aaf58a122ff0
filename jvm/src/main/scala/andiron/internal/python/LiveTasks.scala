package andiron.internal.python

import java.io.{Closeable, IOException}
import java.security.PrivilegedExceptionAction
import java.util.concurrent.ConcurrentHashMap

import org.apache.hadoop.security.UserGroupInformation
import org.apache.spark.TaskContext
import org.slf4j.LoggerFactory

/** The task attempts that run in this executor, by Spark's id. A Python worker may lease only for these. Any thread. */
private[andiron] final class LiveTasks {
  private val running = new ConcurrentHashMap[java.lang.Long, LiveTask]

  /** Registers the task that begins on this thread. */
  def begin(context: TaskContext): Unit = running.put(context.taskAttemptId(), new LiveTask(context)): Unit

  /** The attempt with this id, while it runs. */
  def find(taskAttemptId: Long): Option[LiveTask] = Option(running.get(taskAttemptId)).filterNot(_.context.isCompleted())

  /** Closes the resources opened for the attempt. Idempotent. */
  def end(taskAttemptId: Long): Unit = Option(running.remove(taskAttemptId)).foreach(_.close())

  def endAll(): Unit = running.keySet.forEach(id => end(id))
}

/** A running attempt, with the class loader and user of its thread, under which the loads of its Python worker run. */
private[andiron] final class LiveTask(val context: TaskContext) {
  private val classLoader = Thread.currentThread().getContextClassLoader
  private val user = UserGroupInformation.getCurrentUser
  private var opened = Set.empty[Closeable]
  private var isOpen = true

  /** Closes `resource` with the task; immediately if the task has ended. */
  def closing(resource: Closeable): Unit = {
    val late = synchronized {
      if (isOpen) opened += resource
      !isOpen
    }
    if (late) LiveTask.quietly(resource)
  }

  def forget(resource: Closeable): Unit = synchronized(opened -= resource)

  def close(): Unit = {
    val all = synchronized {
      isOpen = false
      val all = opened
      opened = Set.empty
      all
    }
    all.foreach(LiveTask.quietly)
  }

  /** Runs `body` on this thread with the task's class loader and user. */
  def apply[A](body: => A): A = {
    val thread = Thread.currentThread()
    val before = thread.getContextClassLoader
    thread.setContextClassLoader(classLoader)
    try user.doAs(new PrivilegedExceptionAction[A] { override def run(): A = body })
    catch { case e: java.lang.reflect.UndeclaredThrowableException if e.getCause != null => throw e.getCause }
    finally thread.setContextClassLoader(before)
  }
}

private object LiveTask {

  /** Closes the resource. An error must not prevent closing the others. */
  def quietly(resource: Closeable): Unit =
    try resource.close()
    catch { case e: IOException => LoggerFactory.getLogger(classOf[LiveTask]).debug("a Python worker's connection could not be closed", e) }
}
