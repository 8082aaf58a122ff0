package andiron.internal.cache

import java.io.File
import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.atomic.AtomicLong

import org.apache.spark.{SparkConf, SparkContext, SparkEnv}
import org.apache.spark.andironshim.SparkInternals
import org.apache.spark.scheduler.{SparkListener, SparkListenerApplicationEnd}
import org.slf4j.LoggerFactory

import andiron.{AndironConf, AndironException, ErrorCode}
import andiron.internal.boundary.{Native, NativeLibrary}
import andiron.internal.util.{CallbackGuard, DaemonThread}

/**
 * The cache of one application in this process: its open catalogs, its tasks' leases and its loader threads. The first
 * use in a task or on the driver creates it, with or without the plugin; it ends with the application's SparkEnv.
 */
private[andiron] final class ExecutorCache private (private val env: SparkEnv, val application: String) {
  private val catalogs = new ConcurrentHashMap[ExecutorCache.Key, OpenCatalog[_]]
  private val scopes = new java.util.WeakHashMap[ClassLoader, java.lang.Long]
  private val loaders = new LoaderPool(AndironConf.LoaderThreads.in(env.conf), ExecutorCache.targets)
  private val callbackLeases = new AtomicLong
  private val housekeeper = new Housekeeper(this, env, loaders)
  private val shutdown = DaemonThread("andiron-shutdown", () => ExecutorCache.stop(env))
  private var isStopped = false

  /** Leases of this process's tasks. */
  val attempts = new TaskAttempts

  /** Leases outside any task. */
  val outside = new OutsideTasks

  private def start(): Unit = {
    loaders.start()
    housekeeper.start()
    // Without the plugin, a shutdown hook is the only notice that the executor ends; without it, files would stay until
    // another process sweeps.
    ExecutorCache.unlessExiting(Runtime.getRuntime.addShutdownHook(shutdown))
  }

  /** Opens catalog `id` in this process. */
  def open[V](id: CatalogId, spec: () => CatalogSpec[V]): OpenCatalog[V] = {
    if (ExecutorCache.hasClosed(id.uuid) || id.application != application) throw AndironErrors.closed(id)
    val received = spec()
    val key = ExecutorCache.Key(id.uuid, received.loader.scope)
    val known = catalogs.get(key)
    (if (known != null) known else register(key, received)).asInstanceOf[OpenCatalog[V]]
  }

  private def register(key: ExecutorCache.Key, spec: CatalogSpec[_]): OpenCatalog[_] = synchronized {
    val known = catalogs.get(key)
    if (known != null) known
    else if (isStopped || ExecutorCache.hasClosed(key.uuid)) throw AndironErrors.closed(spec.id)
    else {
      val scope = scopes.computeIfAbsent(key.loader, _ => java.util.concurrent.ThreadLocalRandom.current().nextLong(Long.MaxValue))
      val catalog = new OpenCatalog(spec, scope)
      catalog.versions.foreach { case (handle, version) => ExecutorCache.targets.add(handle, catalog, version) }
      catalogs.put(key, catalog)
      catalog
    }
  }

  private def close(uuid: String): Unit = synchronized {
    catalogs.forEach((key, catalog) => if (key.uuid == uuid) end(key, catalog))
  }

  /** Ends a task's attempt from the plugin's callbacks, a fallback for the task's completion listener. */
  def endTask(taskAttemptId: Long): Unit = {
    val held = attempts.end(taskAttemptId)
    if (held > 0) callbackLeases.addAndGet(held.toLong): Unit
  }

  private def end(key: ExecutorCache.Key, catalog: OpenCatalog[_]): Unit = {
    catalogs.remove(key)
    catalog.close()
    catalog.versions.foreach { case (handle, _) => ExecutorCache.targets.remove(handle, catalog) }
  }

  /**
   * Closes catalogs before attempts: ending an attempt could admit a waiter and so start a load that no thread runs.
   */
  private def stop(): Unit = synchronized {
    isStopped = true
    ExecutorCache.unlessExiting(Runtime.getRuntime.removeShutdownHook(shutdown))
    try {
      housekeeper.close()
      loaders.close()
      catalogs.forEach((key, catalog) => end(key, catalog))
      attempts.endAll()
      outside.endAll()
      loaders.drain()
      loaders.closeValues()
    } finally Native.closeApplication(application)
  }

  /** Figures of the JVM side, in addition to those of the library. */
  def figures: Seq[(String, Long)] =
    housekeeper.figures ++ OwnedValue.figures ++ Seq(
      "openCatalogs" -> catalogs.size.toLong,
      "callbackLeases" -> callbackLeases.get, "callbackErrors" -> CallbackGuard.count, "loaderThreads" -> loaders.size.toLong)
}

private[andiron] object ExecutorCache {
  private val log = LoggerFactory.getLogger(classOf[ExecutorCache])

  /** Objects are separate per class loader: classes of the same name from two loaders are different classes. */
  private final case class Key(uuid: String, loader: ClassLoader)

  private val closed = ConcurrentHashMap.newKeySet[String]()

  private val targets = new LoadTargets

  @volatile private var instance: ExecutorCache = _
  private var watched = new java.lang.ref.WeakReference[SparkContext](null)

  /** Applies a change to the JVM's shutdown hooks; the JVM refuses changes during shutdown. */
  private def unlessExiting(change: => Any): Unit =
    try change: Unit
    catch { case _: IllegalStateException => () }

  /**
   * The cache of the application that runs in this process; a SettingException if there is none or Andiron is disabled.
   */
  def current(): ExecutorCache = {
    val known = instance
    val env = SparkEnv.get
    if (known != null && (known.env eq env)) known else replace(env)
  }

  /** As `current`, but does not create a cache. */
  def currentIfAny: Option[ExecutorCache] = {
    val known = instance
    if (known != null && (known.env eq SparkEnv.get)) Some(known) else None
  }

  /** Whether tasks of the running application may use `catalog`. */
  def isCurrent(catalog: OpenCatalog[_]): Boolean = catalog.isOpen && currentIfAny.isDefined

  private def replace(env: SparkEnv): ExecutorCache = synchronized {
    if (instance != null && (instance.env ne env)) end(instance)
    if (env == null)
      throw AndironException.of(ErrorCode.NotConfigured, "no Spark application runs in this process: its SparkContext was stopped, or never started", null)
    if (instance == null) instance = begin(env)
    instance
  }

  private def begin(env: SparkEnv): ExecutorCache = {
    val conf = env.conf
    AndironConf.requireEnabled(conf)
    AndironConf.validate(conf)
    val application = conf.getOption("spark.app.id").getOrElse(
      throw AndironException.of(ErrorCode.NotConfigured, "the Spark application has no id yet: its SparkContext is still starting", null))
    NativeLibrary.load()
    Native.configure(settings(env, application))
    val cache = new ExecutorCache(env, application)
    cache.start()
    cache
  }

  private def settings(env: SparkEnv, application: String): String =
    settings(env.conf, application, AndironConf.Directory.in(env.conf).getOrElse(ownDirectory(env)))

  /** The settings for the native library: `key=value` lines. */
  private[internal] def settings(conf: SparkConf, application: String, directory: String): String =
    s"application=$application\ncacheDir=$directory\n${AndironConf.nativeLines(conf, "cache")}"

  private def ownDirectory(env: SparkEnv): String =
    SparkInternals.roomiestDirectories(env).headOption.map(new File(_, "andiron").getPath).getOrElse(
      throw AndironException.of(ErrorCode.BadSetting, s"this Spark does not expose its local directories: set ${AndironConf.Directory.key}", null))

  /** Closes a catalog in this process and refuses it from then on. Idempotent. */
  def closeCatalog(uuid: String): Unit = {
    closed.add(uuid)
    currentIfAny.foreach(_.close(uuid))
    SharedSpec.forget(uuid)
  }

  /**
   * On the driver: closes a catalog that has become unreachable, unless it is closed. Does not wait for executors;
   * never throws.
   */
  private[internal] def letGo(id: CatalogId): Unit =
    try {
      SharedSpec.forget(id.uuid)
      if (isRunning(id.application) && !hasClosed(id.uuid)) {
        closeCatalog(id.uuid)
        DriverReports.announceCatalog(id.uuid)
      }
    } catch { case t: Throwable => log.warn(s"the catalog of dataset '${id.dataset}', which is no longer reachable, was not closed without errors", t) }

  /** Whether the catalog was closed in this process. */
  def hasClosed(uuid: String): Boolean = closed.contains(uuid)

  /** Whether the application with this id runs in this process. */
  def isRunning(application: String): Boolean = {
    val env = SparkEnv.get
    env != null && env.conf.getOption("spark.app.id").contains(application)
  }

  /** Ends the cache of the application with the environment `env`, if that cache is current. */
  def stop(env: SparkEnv): Unit = synchronized {
    if (instance != null && (instance.env eq env)) end(instance)
  }

  private def end(cache: ExecutorCache): Unit = {
    instance = null
    closed.clear()
    SharedSpec.clear()
    try cache.stop()
    catch { case t: Throwable => log.error(s"the cache of application ${cache.application} did not end cleanly", t) }
  }

  /** Ends this process's cache when `context` is stopped. */
  def stopWith(context: SparkContext): Unit = synchronized {
    if (watched.get() ne context) {
      watched = new java.lang.ref.WeakReference(context)
      val env = SparkEnv.get
      context.addSparkListener(new SparkListener {
        override def onApplicationEnd(event: SparkListenerApplicationEnd): Unit =
          try stop(env)
          catch { case t: Throwable => log.error("the cache did not end with its application", t) }
      })
    }
  }
}
