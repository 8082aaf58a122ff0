package andiron.internal.cache

import java.security.PrivilegedAction
import java.util.concurrent.locks.LockSupport
import java.util.concurrent.{ConcurrentHashMap, TimeUnit}

import org.slf4j.LoggerFactory

import andiron.{AndironException, ErrorCode}
import andiron.internal.boundary.Native
import andiron.internal.util.{CallbackGuard, DaemonThread}

/**
 * The daemon threads that load versions: `wanted` of them, plus one for each thread busy with the same load for 10 s,
 * up to 64 in all, so that a source that hangs does not delay other loads. A surplus thread ends after its load.
 *
 * @param targets the catalogs for the version handles that the library returns
 */
private[andiron] final class LoaderPool(wanted: Int, targets: LoadTargets) {
  private val loaders = ConcurrentHashMap.newKeySet[Loader]()
  @volatile private var isClosed = false
  private var started = 0

  def start(): Unit = adjust()

  /** Starts threads so that `wanted` of them are free of long loads. Must be called about every second. */
  def adjust(): Unit = synchronized {
    if (!isClosed) {
      val stuck = loaders.stream().filter(loader => loader.isStuck).count().toInt
      val target = math.min(LoaderPool.MostThreads, wanted + stuck)
      while (loaders.size < target) begin()
    }
  }

  /** Number of threads, idle or busy. */
  def size: Int = loaders.size

  /** Ends idle threads and interrupts busy ones. Loads that they receive afterwards are given back. */
  def close(): Unit = synchronized {
    isClosed = true
    loaders.forEach(loader => loader.interrupt())
  }

  /**
   * Ends the loads that no thread has taken, except those of other class loaders. Call after `close` and after closing
   * the catalogs.
   */
  def drain(): Unit =
    Iterator.continually(Native.nextLoad(0)).takeWhile(_ != 0).toVector.foreach(load => LoaderPool.giveBack(load))

  /**
   * Closes the values that left memory with the last catalogs and leases, on a final loader thread, and waits at most
   * 10 s for that thread. Call after `drain`.
   */
  def closeValues(): Unit = {
    if (OwnedValue.hasEvicted) {
      val last = DaemonThread("andiron-loader-last", () => OwnedValue.closeEvicted(): Unit)
      last.start()
      last.join(LoaderPool.LastMillis)
    }
    OwnedValue.awaitClosing()
  }

  private def begin(): Unit = {
    started += 1
    val loader = new Loader(started)
    loaders.add(loader)
    loader.start()
  }

  private def isNeeded(loader: Loader): Boolean = synchronized {
    val stuck = loaders.stream().filter(loader => loader.isStuck).count().toInt
    val needed = !isClosed && loaders.size <= wanted + stuck
    if (!needed) loaders.remove(loader)
    needed
  }

  private final class Loader(number: Int) extends Runnable {
    private val thread = DaemonThread(s"andiron-loader-$number", this)
    @volatile private var busySince = 0L

    def start(): Unit = thread.start()

    def interrupt(): Unit = thread.interrupt()

    def isStuck: Boolean = busySince != 0 && System.nanoTime() - busySince > LoaderPool.StuckNanos

    override def run(): Unit =
      try while (isNeeded(this)) {
        closeEvicted()
        val load = next()
        if (load != 0) run(load)
      } finally {
        // The interruption was for the load and must not disturb closing the remaining values.
        Thread.interrupted(): Unit
        closeEvicted()
        loaders.remove(this): Unit
      }

    /** Closes evicted values. The thread counts as busy, as during a load. */
    private def closeEvicted(): Unit =
      try if (OwnedValue.hasEvicted) {
        busySince = System.nanoTime()
        OwnedValue.closeEvicted(): Unit
      } catch { case t: Throwable => LoaderPool.failures.note("close evicted values", t) }
      finally busySince = 0

    /** Marks the thread as busy if the pool is open: a load received later may belong to the next application. */
    private def begins(): Boolean = LoaderPool.this.synchronized {
      if (!isClosed) busySince = System.nanoTime()
      !isClosed
    }

    /** The next load; 0 if there is none. An error of the library must neither end the thread nor make it spin. */
    private def next(): Long =
      try Native.nextLoad(LoaderPool.WaitMillis)
      catch {
        case t: Throwable =>
          LoaderPool.log.error("asking for the next load failed", t)
          if (!isClosed) Thread.interrupted(): Unit
          LockSupport.parkNanos(LoaderPool.ErrorNanos)
          0
      }

    /** Always finishes the load or gives it back: an unfinished load stays reserved forever. Never throws. */
    private def run(load: Long): Unit =
      try targets.of(Native.loadVersion(load)) match {
        case some if some.nonEmpty && begins() => runAny(load, some)
        case _ =>
          LoaderPool.giveBack(load)
          LockSupport.parkNanos(LoaderPool.GivenBackNanos) // the load may belong to another class loader
      } catch { case t: Throwable => LoaderPool.end(load, t) }
      finally busySince = 0

    /**
     * Runs the load with the first target that can read the source: catalogs that share bytes may have different
     * credentials, some of them expired.
     */
    private def runAny(load: Long, all: Vector[LoadTarget]): Unit = {
      val settings = all.map(_.catalog.spec.hadoop.fingerprint)
      val different = all.indices.filter(i => settings.indexOf(settings(i)) == i).map(all)
      val sees = different.init.find(target => runAs(load, target)(_.reaches())).getOrElse(different.last)
      runAs(load, sees)(_.run())
    }

    private def runAs[A](load: Long, target: LoadTarget)(action: VersionLoading[_] => A): A = {
      thread.setContextClassLoader(target.catalog.classLoader)
      try target.catalog.user.doAs(new PrivilegedAction[A] {
        override def run(): A = action(VersionLoading.of(load, target.catalog, target.spec))
      })
      finally {
        thread.setContextClassLoader(null)
        if (!isClosed) Thread.interrupted(): Unit
      }
    }
  }
}

private[andiron] object LoaderPool {
  private val log = LoggerFactory.getLogger(classOf[LoaderPool])
  private val failures = new CallbackGuard

  private val MostThreads = 64
  private val StuckNanos = TimeUnit.SECONDS.toNanos(10)
  private val WaitMillis = 200L
  private val LastMillis = 10000L
  private val ErrorNanos = TimeUnit.SECONDS.toNanos(1)
  private val GivenBackNanos = TimeUnit.MILLISECONDS.toNanos(5)

  /** Returns the load to the shared queue, or ends it if no catalog needs it. Never throws. */
  private def giveBack(load: Long): Unit =
    try Native.giveBackLoad(load)
    catch { case t: Throwable => end(load, t) }

  /** Ends a load that `error` prevented from running. Never throws. */
  private def end(load: Long, error: Throwable): Unit =
    try {
      error match {
        case e: AndironException if e.code == ErrorCode.CatalogClosed => log.debug("a load is no longer needed", e)
        case _                                                        => log.warn("a load ended outside its loader", error)
      }
      Native.loadFailed(load, s"the load could not be run: $error", error)
    } catch {
      case e: AndironException if e.code == ErrorCode.BadHandle => // already ended
      case t: Throwable                                         => failures.note("end a load", t)
    }
}
