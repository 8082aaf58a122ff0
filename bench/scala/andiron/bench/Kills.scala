package andiron.bench

import java.nio.file.{Files, Path, Paths}
import java.util.concurrent.{CompletableFuture, ExecutionException, TimeUnit}

import org.apache.spark.SparkContext
import org.apache.spark.scheduler.{SparkListener, SparkListenerTaskEnd}
import org.apache.spark.sql.SparkSession

import andiron.{Bytes, Catalog, Loader, VersionedData}
import andiron.harness.Waiting
import andiron.internal.cache.CacheStats

/** The time until a task that waits for the budget ends after its job is cancelled. One version fills the budget. */
object Kills {

  def run(spark: SparkSession, options: Options): Seq[Map[String, Any]] = {
    val job = options.job(spark)
    val catalog = VersionedData.catalog(spark, "kills", WithAndiron.versions(job, inPlace = false), Loader.bytes)
    val kills = new Kills(spark, catalog, Paths.get(job.scratch))
    try { (0 until options.int("turns")).map(turn => kills.turn(job.shape.names, turn)) }
    finally catalog.close()
  }

  /** Leases a version in a task for as long as the file `flag` exists. */
  private def hold(context: SparkContext, catalog: Catalog[Bytes], version: String, flag: String): Unit =
    context.parallelize(Seq(0), 1).foreach { _ =>
      catalog.cursor().advance(version)
      while (Files.exists(Paths.get(flag))) Thread.sleep(5)
    }
}

private final class Kills(spark: SparkSession, catalog: Catalog[Bytes], scratch: Path) {
  private val context = spark.sparkContext

  def turn(names: Seq[String], turn: Int): Map[String, Any] = {
    val flag = scratch.resolve(s"holder-$turn")
    Files.createFile(flag)
    val holder = inGroup("holder")(Kills.hold(context, catalog, names.head, flag.toString))
    until(figure("leases") == 1)
    val ended = new CompletableFuture[java.lang.Long]
    val waiter = inGroup("waiter")(Kills.hold(context, catalog, names(1), "/nothing"))
    until(figure("waiting") == 1)
    val listener = new SparkListener {
      override def onTaskEnd(end: SparkListenerTaskEnd): Unit =
        if (end.taskInfo.killed) ended.complete(System.nanoTime()): Unit
    }
    context.addSparkListener(listener)
    val cancelled = System.nanoTime()
    context.cancelJobGroup("waiter")
    val seconds = (ended.get(30, TimeUnit.SECONDS) - cancelled) / 1e9
    context.removeSparkListener(listener)
    val failed = try { waiter.get(); false } catch { case _: ExecutionException => true }
    Files.delete(flag)
    holder.get()
    Map("turn" -> turn, "seconds" -> seconds, "job_failed" -> failed, "waiting_left" -> figure("waiting"), "leases_left" -> figure("leases"))
  }

  private def figure(name: String): Long = Executors.onEach(spark)(() => CacheStats.snapshot().getOrElse(name, 0L)).values.sum

  private def until(holds: => Boolean): Unit = Waiting.until("task where it should be", 30)(holds)

  private def inGroup(group: String)(work: => Unit): CompletableFuture[Void] = CompletableFuture.runAsync { () =>
    context.setJobGroup(group, group)
    work
  }
}
