package andiron.internal.util

import java.util.concurrent.atomic.{AtomicBoolean, AtomicLong}

import org.slf4j.LoggerFactory

/**
 * Keeps Andiron's errors away from Spark, which would stop for some of them. The first error of each guard is logged;
 * all are counted.
 */
private[andiron] final class CallbackGuard {
  private val hasFailed = new AtomicBoolean

  def apply(what: String)(action: => Unit): Unit = value(what, ())(action)

  /** The value of `action`, or `otherwise` if it throws, fatal errors included. */
  def value[T](what: String, otherwise: T)(action: => T): T =
    try action
    catch {
      case t: Throwable =>
        note(what, t)
        otherwise
    }

  /**
   * Counts an error of the activity `what` (a verb phrase). Never throws: without memory or stack for logging, the
   * error is only counted.
   */
  def note(what: String, error: Throwable): Unit = {
    CallbackGuard.failures.incrementAndGet()
    if (hasFailed.compareAndSet(false, true))
      try CallbackGuard.log.error(s"Andiron could not $what; further errors of this kind are counted only", error)
      catch { case _: Throwable => hasFailed.set(false) }
  }
}

private[andiron] object CallbackGuard {
  private val log = LoggerFactory.getLogger(classOf[CallbackGuard])
  private val failures = new AtomicLong

  /** Number of errors in this process. */
  def count: Long = failures.get
}
