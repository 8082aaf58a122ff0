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

/** The parts of Spark's private API that the metrics use; each part degrades if a Spark version lacks it. */
object MetricsInternals {
  private val log = LoggerFactory.getLogger("andiron.MetricsInternals")

  /** Name of Andiron's own listener queue. */
  val Queue = "andiron"

  /** The application's exit code; Spark 4 reports it. */
  def exitCode(event: SparkListenerApplicationEnd): Option[Int] =
    try event.getClass.getMethod("exitCode").invoke(event) match {
      case Some(code: Int) => Some(code)
      case _               => None
    } catch { case _: ReflectiveOperationException => None }

  /** Registers an accumulator without a name. Updates of failed attempts are included if this Spark supports that. */
  def register(context: SparkContext, accumulator: AccumulatorV2[_, _]): Unit =
    try accumulator.register(context, None, true)
    catch { case _: LinkageError => context.register(accumulator) }

  /** The user's function without unneeded references, as Spark's own operators clean it. */
  def clean[F <: AnyRef](context: SparkContext, f: F): F =
    try context.clean(f)
    catch { case _: LinkageError => f }

  def classTag[T](rdd: RDD[T]): ClassTag[T] = rdd.elementClassTag

  /** Sets the capacity of the queue that `addListener` creates, in events. */
  def setQueueCapacity(context: SparkContext, events: Int): Unit =
    try context.conf.set(s"spark.scheduler.listenerbus.eventqueue.$Queue.capacity", events.toString): Unit
    catch { case e @ (_: LinkageError | NonFatal(_)) => log.warn("the capacity of Andiron's listener queue is Spark's default", e) }

  /** Adds a listener with its own queue and thread; in a Spark without such queues, to the shared queue. */
  def addListener(context: SparkContext, listener: SparkListenerInterface): Unit =
    try context.listenerBus.addToQueue(listener, Queue)
    catch {
      case e: LinkageError =>
        log.warn("Andiron's listener shares a queue with others: this Spark has no separate listener queues", e)
        context.addSparkListener(listener)
    }

  def post(context: SparkContext, event: SparkListenerEvent): Unit = context.listenerBus.post(event)

  /** Number of events that Andiron's queue has dropped; negative if this Spark does not expose it. */
  def droppedEvents(): Long =
    try SparkEnv.get.metricsSystem.getSourcesByName("LiveListenerBus").headOption.fold(-1L)(dropped)
    catch { case _: LinkageError | NonFatal(_) => -1L }

  private def dropped(source: Source): Long = {
    val counter = source.metricRegistry.getCounters.get(s"queue.$Queue.numDroppedEvents")
    if (counter == null) -1L else counter.getCount
  }

  /** Whether the accumulator is an internal metric of Spark SQL. */
  def isSqlMetric(info: AccumulableInfo): Boolean = info.metadata.contains("sql")

  /** Whether a task's input is lost, so that earlier stages must run again. */
  def isFetchFailure(error: Throwable): Boolean = error.isInstanceOf[FetchFailedException]

  /** The SQL metrics that a stage has updated; empty if the scheduler modifies them concurrently, as for late tasks. */
  def sqlMetrics(stage: StageInfo): Seq[Long] =
    try stage.accumulables.valuesIterator.filter(isSqlMetric).map(_.id).toVector
    catch { case NonFatal(_) => Nil }

  /** Whether recomputing the RDD may give its rows in another order, or other rows. */
  def isIndeterminate(rdd: RDDInfo): Boolean =
    try rdd.outputDeterministicLevel == DeterministicLevel.INDETERMINATE
    catch { case _: LinkageError => false }

  /** Runs `body` at JVM exit, after Spark has stopped its context. The result, when called, cancels this. */
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

  /** Cancels a stage and all jobs that need it. */
  def cancelStage(context: SparkContext, stage: Int, reason: String): Unit = context.cancelStage(stage, reason)
}
