package andiron.internal.util

import java.util.concurrent.atomic.{AtomicBoolean, AtomicLong}

import org.slf4j.LoggerFactory

/** Keeps errors of Andiron away from Spark, which would take some of them as a reason to stop. The first of each guard is logged, all are counted. */
private[andiron] final class CallbackGuard {
  private val hasFailed = new AtomicBoolean

  def apply(what: String)(action: => Unit): Unit = value(what, ())(action)

  /** `action`'s value, or `otherwise` if it throws anything at all. */
  def value[T](what: String, otherwise: T)(action: => T): T =
    try action
    catch {
      case t: Throwable =>
        note(what, t)
        otherwise
    }

  /** Counts an error that was met while Andiron tried to do `what`. Throws nothing: without memory or stack to log it, it is counted. */
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

  /** Errors in this process so far. */
  def count: Long = failures.get
}
