package andiron.faults

import java.net.{URL, URLClassLoader}
import java.util.concurrent.{Callable, CyclicBarrier, TimeUnit}

import org.apache.spark.sql.SparkSession

import andiron.AndironException
import andiron.internal.boundary.Native
import andiron.internal.cache.CacheStats


/** Faults within one JVM, in local mode only: consecutive contexts, and concurrent class loaders. */
object OneProcess {

  /** The figures of the library, available even without an application. */
  def nativeFigures(): Map[String, Long] = {
    val values = new Array[Long](CacheStats.names.length)
    val filled = Native.stats(values)
    CacheStats.names.zip(values).take(filled).toMap
  }

  /** The codes for an ended application or lease: CatalogClosed, Released, NotConfigured. */
  private val EndedCodes = Set(113, 114, 115)

  private def refused(what: String)(action: => Any): Unit = {
    val answer =
      try s"gave ${action}"
      catch { case e: AndironException => if (EndedCodes(e.code)) "" else s"threw code ${e.code}, ${e.getClass.getSimpleName}" }
    Fault.require(answer.isEmpty, s"$what after the end of its application $answer")
  }

  /** Leases of the driver that stay open until the context is stopped. */
  private val openLeases = Fault("leases-left-open") { (bench, _) =>
    val before = bench.digest()
    val (lease, set, cursor) = (bench.small.lease("v0"), bench.objects.acquireAll("v2"), bench.small.cursor())
    val bytes = lease.value
    val (moved, buffer) = (cursor.advance("v0"), bytes.buffer(8, 8))
    val held = nativeFigures()("leases")
    bench.spark.stop()
    refused("lease.value")(lease.value)
    refused("a getter")(bytes.getLong(0))
    refused("a getter of a cursor's value")(moved.getLong(0))
    refused("cursor.advance")(cursor.advance("v1"))
    refused("a lease set")(set("v2"))
    refused("a new lease")(bench.small.lease("v0"))
    refused("a new cursor")(bench.small.cursor())
    Fault.require(java.lang.Long.reverseBytes(buffer.getLong(0)) == Cells.cell("v0", 1), "a buffer lost its bytes")
    Seq(lease, set, cursor, bench.small).foreach(_.close())
    val after = bench.following()(_.digest())
    Seen(Seq(before, after), Seq("leases_open_at_stop" -> held))
  }

  /** A second context in one JVM, with a different budget; it refuses catalogs of the first. */
  private val twoContexts = Fault("two-contexts") { (bench, _) =>
    val (first, id) = (bench.digest(), bench.spark.sparkContext.applicationId)
    val old = bench.small
    bench.spark.stop()
    val between = nativeFigures()
    Fault.require(between("residentBytes") == 0 && between("diskBytes") == 0, s"left after the first context: $between")
    bench.following("spark.andiron.cache.budgetBytes" -> (2 * Bench.BudgetBytes).toString) { second =>
      Fault.require(second.spark.sparkContext.applicationId != id, "the second context has the id of the first")
      refused("a lease")(old.lease("v0"))
      refused("a cursor")(old.cursor())
      old.close()
      val digests = Seq(first, second.digest(), second.objectDigest())
      Fault.require(nativeFigures()("budgetBytes") == 2 * Bench.BudgetBytes, "the second context's budget is not in force")
      Seen(digests, Seq.empty)
    }
  }

  /**
   * Two more copies of the jar, each in its own class loader: one cache, one budget. First with a budget that is too small for both; then
   * with room for all versions, where bytes are loaded once in all, and objects once per class loader.
   */
  private val twoLoaders = Fault("two-class-loaders") { (bench, _) =>
    val before = bench.digest()
    tenants(bench)
    Fault.require(nativeFigures()("maxResidentBytes") <= Bench.BudgetBytes, s"${nativeFigures()("maxResidentBytes")} bytes resident")
    val between = bench.digest()
    bench.spark.stop()
    bench.following("spark.andiron.cache.budgetBytes" -> (32 * Bench.BudgetBytes).toString) { roomy =>
      tenants(roomy)
      val loaded = nativeFigures()("loads")
      Fault.require(loaded == 3 * Bench.Versions, s"$loaded loads for ${Bench.Versions} versions as bytes, and as objects of two class loaders")
      Seen(Seq(before, between, roomy.digest()), Seq("loads" -> loaded))
    }
  }

  /** Lets two copies of the classes use the cache concurrently, and compares their views of it. */
  private def tenants(bench: Bench): Unit = {
    val urls = Seq(classOf[AndironException], classOf[Tenant]).map(_.getProtectionDomain.getCodeSource.getLocation)
    val together = new CyclicBarrier(2)
    val found = inParallel(Seq.fill(2)(new ChildFirst(urls, getClass.getClassLoader)).map { loader =>
      loader.loadClass(classOf[Tenant].getName)
        .getDeclaredConstructor(classOf[SparkSession], classOf[String], classOf[CyclicBarrier])
        .newInstance(bench.spark, bench.folder, together).asInstanceOf[Callable[Array[Long]]]
    })
    Fault.require(found.forall(_(0) == 0), s"wrong values: ${found.map(_(0)).mkString(", ")}")
    Fault.require(found.forall(_(1) == nativeFigures()("budgetBytes")), s"budgets ${found.map(_(1)).mkString(", ")}")
    Fault.require(found.forall(_(2) > 0), s"loads that they see: ${found.map(_(2)).mkString(", ")}")
  }

  private def inParallel(tenants: Seq[Callable[Array[Long]]]): Seq[Array[Long]] = {
    val pool = java.util.concurrent.Executors.newFixedThreadPool(tenants.size)
    try tenants.map(tenant => pool.submit(tenant)).map(_.get(60, TimeUnit.SECONDS))
    finally pool.shutdownNow(): Unit
  }

  val all: Seq[Fault] = Seq(openLeases, twoContexts, twoLoaders)
}

/** Loads its own copy of Andiron's classes, and all other classes from `parent`. */
private final class ChildFirst(urls: Seq[URL], parent: ClassLoader) extends URLClassLoader(urls.toArray, parent) {
  override def loadClass(name: String, resolve: Boolean): Class[_] =
    if (!name.startsWith("andiron.")) super.loadClass(name, resolve)
    else getClassLoadingLock(name).synchronized(Option(findLoadedClass(name)).getOrElse(findClass(name)))

  override def getResource(name: String): URL = Option(findResource(name)).getOrElse(super.getResource(name))
}

/**
 * Uses the common cache with the classes of one class loader: leases every version many times, as bytes and as objects. `together` keeps
 * the loaded versions until both tenants have finished.
 */
final class Tenant(spark: SparkSession, folder: String, together: CyclicBarrier) extends Callable[Array[Long]] {

  /** The number of wrong values, and the budget and the loads of all tenants in the view of this copy of the classes. */
  override def call(): Array[Long] = {
    Thread.currentThread().setContextClassLoader(getClass.getClassLoader)
    val bench = new Bench(spark, folder, 1)
    var wrong = 0L
    for (round <- 0 until 4; version <- bench.small.versions) {
      val bytes = bench.small.lease(version)
      if (bytes.value.getLong(80) != Cells.cell(version, 10)) wrong += 1
      bytes.close()
      val cells = bench.objects.lease(version)
      if (cells.value(10 + round) != Cells.cell(version, 10L + round)) wrong += 1
      cells.close()
    }
    val figures = OneProcess.nativeFigures()
    together.await()
    bench.small.close()
    bench.objects.close()
    Array(wrong, figures("budgetBytes"), figures("loads"))
  }
}
