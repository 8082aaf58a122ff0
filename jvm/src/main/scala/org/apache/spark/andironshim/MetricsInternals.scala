package org.apache.spark.andironshim

import scala.reflect.ClassTag
import scala.util.control.NonFatal

import org.apache.spark.{SparkContext, SparkEnv}
import org.apache.spark.metrics.source.Source
import org.apache.spark.rdd.{DeterministicLevel, RDD}
import org.apache.spark.scheduler.{AccumulableInfo, SparkListenerApplicationEnd, SparkListenerEvent, SparkListenerInterface, StageInfo}
import org.apache.spark.shuffle.FetchFailedException
import org.apache.spark.storage.RDDInfo
import org.apache.spark.util.{AccumulatorV2, ShutdownHookManager}
import org.slf4j.LoggerFactory

/** What the metrics need of Spark's private API; each part degrades where a Spark does not have it. */
object MetricsInternals {
  private val log = LoggerFactory.getLogger("andiron.MetricsInternals")

  /** The listener queue of Andiron's own. */
  val Queue = "andiron"

  /** The exit code of the application, which Spark 4 tells. */
  def exitCode(event: SparkListenerApplicationEnd): Option[Int] =
    try event.getClass.getMethod("exitCode").invoke(event) match {
      case Some(code: Int) => Some(code)
      case _               => None
    } catch { case _: ReflectiveOperationException => None }

  /** Registers without a name; what a failed attempt has filed comes too, where this Spark can. */
  def register(context: SparkContext, accumulator: AccumulatorV2[_, _]): Unit =
    try accumulator.register(context, None, true)
    catch { case _: LinkageError => context.register(accumulator) }

  /** A function of the user's without what it does not need, as Spark's own operators do it. */
  def clean[F <: AnyRef](context: SparkContext, f: F): F =
    try context.clean(f)
    catch { case _: LinkageError => f }

  def classTag[T](rdd: RDD[T]): ClassTag[T] = rdd.elementClassTag

  /** Gives the queue that `addListener` makes room for so many events. */
  def setQueueCapacity(context: SparkContext, events: Int): Unit =
    try context.conf.set(s"spark.scheduler.listenerbus.eventqueue.$Queue.capacity", events.toString): Unit
    catch { case e @ (_: LinkageError | NonFatal(_)) => log.warn("the capacity of Andiron's listener queue is Spark's default", e) }

  /** Adds a listener with a queue and thread of its own; if this Spark cannot, to the queue of all. */
  def addListener(context: SparkContext, listener: SparkListenerInterface): Unit =
    try context.listenerBus.addToQueue(listener, Queue)
    catch {
      case e: LinkageError =>
        log.warn("Andiron's listener shares a queue with others: this Spark has no queues of one's own", e)
        context.addSparkListener(listener)
    }

  def post(context: SparkContext, event: SparkListenerEvent): Unit = context.listenerBus.post(event)

  /** How many events Andiron's queue has dropped so far; negative if this Spark does not tell. */
  def droppedEvents(): Long =
    try SparkEnv.get.metricsSystem.getSourcesByName("LiveListenerBus").headOption.fold(-1L)(dropped)
    catch { case _: LinkageError | NonFatal(_) => -1L }

  private def dropped(source: Source): Long = {
    val counter = source.metricRegistry.getCounters.get(s"queue.$Queue.numDroppedEvents")
    if (counter == null) -1L else counter.getCount
  }

  /** Whether the accumulator is a metric of Spark SQL's own. */
  def isSqlMetric(info: AccumulableInfo): Boolean = info.metadata.contains("sql")

  /** Whether the input of a task is lost, so that the stages before must run again. */
  def isFetchFailure(error: Throwable): Boolean = error.isInstanceOf[FetchFailedException]

  /** The SQL metrics that a stage has changed; none if the scheduler adds one meanwhile, as it does for late tasks. */
  def sqlMetrics(stage: StageInfo): Seq[Long] =
    try stage.accumulables.valuesIterator.filter(isSqlMetric).map(_.id).toVector
    catch { case NonFatal(_) => Nil }

  /** Whether the RDD's rows may come in another order, or be others, when it is computed again. */
  def isIndeterminate(rdd: RDDInfo): Boolean =
    try rdd.outputDeterministicLevel == DeterministicLevel.INDETERMINATE
    catch { case _: LinkageError => false }

  /** Runs `body` when the JVM goes, after Spark has stopped its context. What it gives lets go of `body` before. */
  def onExit(body: () => Unit): () => Unit =
    try {
      val hook = ShutdownHookManager.addShutdownHook(ShutdownHookManager.SPARK_CONTEXT_SHUTDOWN_PRIORITY - 5)(body)
      () => ShutdownHookManager.removeShutdownHook(hook): Unit
    } catch {
      case _: LinkageError =>
        val hook = new Thread(() => body(), "andiron-exit")
        Runtime.getRuntime.addShutdownHook(hook)
        () => Runtime.getRuntime.removeShutdownHook(hook): Unit
    }

  def cancelJob(context: SparkContext, job: Int, reason: String): Unit = context.cancelJob(job, reason)

  /** Ends a stage, with all jobs that need it. */
  def cancelStage(context: SparkContext, stage: Int, reason: String): Unit = context.cancelStage(stage, reason)
}
