package andiron.internal.util

import java.security.{AccessController, PrivilegedAction}

import scala.annotation.nowarn

import org.slf4j.LoggerFactory

/**
 * Threads of Andiron's own. They outlive whoever happens to make them, so they keep nothing of it: no thread-locals, no context class
 * loader, and no access-control context, which would hold the class loaders and the user of the whole stack.
 */
private[andiron] object DaemonThread {
  private val log = LoggerFactory.getLogger("andiron.threads")

  /** A daemon thread that is not started yet. What `task` throws is logged and ends the thread only: Spark would end the executor. */
  @nowarn("cat=deprecation") // There is no other way to say it, and where it has no effect, from Java 24 on, threads inherit no context.
  def apply(name: String, task: Runnable): Thread = AccessController.doPrivileged(new PrivilegedAction[Thread] {
    override def run(): Thread = {
      val thread = new Thread(null, task, name, 0L, false)
      thread.setDaemon(true)
      thread.setContextClassLoader(null)
      thread.setUncaughtExceptionHandler((_, error) => log.error(s"thread $name has ended with an error", error))
      thread
    }
  })
}
