package andiron.internal.util

import java.security.{AccessController, PrivilegedAction}

import scala.annotation.nowarn

import org.slf4j.LoggerFactory

/**
 * Andiron's own threads. They outlive the thread that creates them and therefore inherit nothing from it: no
 * thread-locals, no context class loader, and no access-control context, which would retain the class loaders and the
 * user of the whole stack.
 */
private[andiron] object DaemonThread {
  private val log = LoggerFactory.getLogger("andiron.threads")

  /**
   * A daemon thread, not yet started. An error of `task` is logged and ends only the thread; uncaught, Spark would end
   * the executor.
   */
  @nowarn("cat=deprecation") // no alternative; without effect from Java 24 on, where threads inherit no context
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
