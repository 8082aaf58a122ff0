package andiron.internal.cache

import java.lang.ref.{ReferenceQueue, WeakReference}
import java.security.PrivilegedAction
import java.util.concurrent.atomic.{AtomicBoolean, AtomicLong}
import java.util.concurrent.{ConcurrentHashMap, ConcurrentLinkedQueue, CountDownLatch, TimeUnit}

import org.slf4j.LoggerFactory

import andiron.internal.boundary.Native

/**
 * One residency of a value that must be closed; the library holds this object in place of the value. `run` ends the
 * residency, and closes the value if no other residency has the same object. Idempotent; never throws.
 *
 * @param version handle of the value's version
 * @param source the version's source
 */
private[andiron] final class OwnedValue(val value: AnyRef, val version: Long, val source: String, catalog: OpenCatalog[_], close: () => Unit)
    extends Runnable {
  private val isEnded = new AtomicBoolean
  private val done = new CountDownLatch(1)
  OwnedValue.begin(this)

  override def run(): Unit = if (isEnded.compareAndSet(false, true)) {
    try if (OwnedValue.isLast(value)) closeAsUser()
    catch { case t: Throwable => OwnedValue.failed(this, t) }
    finally {
      OwnedValue.end(this)
      done.countDown()
    }
  }

  private def closeAsUser(): Unit = {
    val thread = Thread.currentThread()
    val before = thread.getContextClassLoader
    thread.setContextClassLoader(catalog.classLoader)
    try catalog.user.doAs(new PrivilegedAction[Unit] { override def run(): Unit = close() })
    finally thread.setContextClassLoader(before)
    OwnedValue.closed.incrementAndGet(): Unit
  }

  /** Whether `run` is executing. */
  def isClosing: Boolean = isEnded.get && done.getCount > 0

  /** Waits for `run` to finish, at most `nanos`. */
  def await(nanos: Long): Unit = done.await(nanos, TimeUnit.NANOSECONDS): Unit
}

/** The values of this process that must be closed. They are closed on loader threads, without an Andiron lock held. */
private[andiron] object OwnedValue {
  private val log = LoggerFactory.getLogger(classOf[OwnedValue])

  /** Longest wait for values that are being closed, before a load or at the end of an application. */
  private val PatienceNanos = TimeUnit.SECONDS.toNanos(10)
  private val stays = new java.util.IdentityHashMap[AnyRef, Integer]
  private val ended = new java.util.HashSet[Identity]
  private val collected = new ReferenceQueue[AnyRef]
  private val living = ConcurrentHashMap.newKeySet[OwnedValue]()
  private val evicted = new ConcurrentLinkedQueue[Runnable]
  private val failures = new AtomicLong

  private[internal] val closed = new AtomicLong

  /** The user's value for an object held by the library. */
  def of(held: AnyRef): AnyRef = held match {
    case owned: OwnedValue => owned.value
    case other             => other
  }

  private def begin(owned: OwnedValue): Unit = synchronized {
    stays.merge(owned.value, 1, (a, b) => a + b)
    living.add(owned): Unit
  }

  /**
   * Ends a residency of the object. True if it must be closed now: no other residency has it, and it was not closed
   * before.
   */
  private def isLast(value: AnyRef): Boolean = synchronized {
    if (stays.merge(value, -1, (a, b) => a + b) > 0) false
    else {
      stays.remove(value)
      Iterator.continually(collected.poll()).takeWhile(_ != null).foreach(gone => ended.remove(gone))
      ended.add(new Identity(value))
    }
  }

  private def end(owned: OwnedValue): Unit = living.remove(owned): Unit

  private def failed(owned: OwnedValue, error: Throwable): Unit = {
    failures.incrementAndGet()
    log.warn(s"a value made of ${owned.source} could not be closed", error)
  }

  /** Fetches evicted objects from the library. */
  private def collect(): Unit =
    Iterator.continually(Native.nextEvicted()).takeWhile(_ != null).foreach {
      case task: Runnable => evicted.add(task)
      case other          => log.error("{} was evicted and cannot be closed", other.getClass)
    }

  /** Closes evicted values; returns whether there were any. Called by loader threads. */
  def closeEvicted(): Boolean = {
    collect()
    val all = Iterator.continually(evicted.poll()).takeWhile(_ != null)
    val had = all.hasNext
    all.foreach(_.run())
    had
  }

  /** Whether evicted values wait to be closed. */
  def hasEvicted: Boolean = {
    collect()
    !evicted.isEmpty
  }

  /**
   * Closes, before a load, the values of the version's earlier loads and the evicted values of the same source, and
   * waits for other threads that do so. A version has one load at a time, so none of its earlier values is leased.
   */
  def makeWay(version: Long, source: String): Unit = {
    collect()
    evicted.forEach {
      case owned: OwnedValue => if (owned.source == source) owned.run()
      case _                 => ()
    }
    living.forEach(owned => if (owned.version == version) owned.run())
    val end = System.nanoTime() + PatienceNanos
    living.forEach(owned => if (owned.isClosing && owned.source == source) owned.await(math.max(0L, end - System.nanoTime())))
  }

  /** Waits for threads that are closing values. */
  def awaitClosing(): Unit = {
    val end = System.nanoTime() + PatienceNanos
    living.forEach(owned => if (owned.isClosing) owned.await(math.max(0L, end - System.nanoTime())))
  }

  def figures: Seq[(String, Long)] = Seq("closedValues" -> closed.get, "closeFailures" -> failures.get)

  /** A closed object, compared by identity, as long as it is reachable. */
  private final class Identity(value: AnyRef) extends WeakReference[AnyRef](value, collected) {
    private val hash = System.identityHashCode(value)

    override def hashCode: Int = hash

    override def equals(other: Any): Boolean = other match {
      case same: Identity =>
        (this eq same) || {
          val mine = get()
          mine != null && (mine eq same.get())
        }
      case _ => false
    }
  }
}
