package andiron.internal.cache

import java.util.concurrent.TimeUnit
import java.util.concurrent.atomic.AtomicLong
import java.util.concurrent.locks.LockSupport

import org.apache.spark.SparkEnv
import org.apache.spark.andironshim.StorageAccount
import org.slf4j.LoggerFactory

import andiron.AndironConf
import andiron.internal.util.DaemonThread

/**
 * A daemon thread that runs every `spark.andiron.cache.reportInterval`: it ends the attempts of completed tasks,
 * replaces stuck loader threads, charges resident bytes to Spark's memory, and ends the cache with its application. It
 * is the only thread that touches Spark's memory, because that may evict the user's blocks: it holds no Andiron lock
 * then and is never interrupted.
 */
private[andiron] final class Housekeeper(cache: ExecutorCache, env: SparkEnv, loaders: LoaderPool) extends Runnable {
  private val interval = TimeUnit.MILLISECONDS.toNanos(AndironConf.ReportInterval.in(env.conf))
  private val charges = AndironConf.Accounting.in(env.conf) == "auto"
  private val thread = DaemonThread("andiron-housekeeper", this)
  private val reapedLeases = new AtomicLong
  private val errors = new AtomicLong
  @volatile private var account: StorageAccount = _
  @volatile private var isClosed = false

  def start(): Unit = thread.start()

  override def run(): Unit = {
    guarded { account = if (charges) StorageAccount.open(env) else StorageAccount.off }
    while (!isClosed) {
      LockSupport.parkNanos(this, interval)
      if (!isClosed) guarded(if (SparkEnv.get ne env) ExecutorCache.stop(env) else keep())
    }
    if (SparkEnv.get eq env) guarded(if (account != null) account.settle(0, 0))
  }

  private def guarded(action: => Unit): Unit =
    try action
    catch {
      case t: Throwable => if (errors.getAndIncrement() == 0) Housekeeper.log.error("housekeeping failed; further errors are counted only", t)
    }

  private def keep(): Unit = {
    val reaped = cache.attempts.reap()
    if (reaped > 0) {
      reapedLeases.addAndGet(reaped.toLong)
      Housekeeper.log.warn("{} leases of completed tasks were still held: their completion listeners were skipped", reaped)
    }
    loaders.adjust()
    val stats = CacheStats.snapshot()
    val objects = stats.getOrElse("residentObjectBytes", 0L)
    if (account != null) account.settle(stats.getOrElse("residentBytes", 0L) - objects, objects)
  }

  /** Ends the thread, which first returns its charge to Spark's memory. */
  def close(): Unit = {
    isClosed = true
    LockSupport.unpark(thread)
  }

  def figures: Seq[(String, Long)] = {
    val now = account
    Seq(
      "reapedLeases" -> reapedLeases.get,
      "housekeepingErrors" -> errors.get,
      "accountedBytes" -> (if (now == null) 0L else now.charged),
      "accountingRefusals" -> (if (now == null) 0L else now.refusals))
  }
}

private[andiron] object Housekeeper {
  private val log = LoggerFactory.getLogger(classOf[Housekeeper])
}
