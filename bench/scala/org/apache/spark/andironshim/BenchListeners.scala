package org.apache.spark.andironshim

import java.util.concurrent.CountDownLatch

import scala.collection.mutable

import com.codahale.metrics.Gauge

import org.apache.spark.{SparkContext, TaskState}
import org.apache.spark.scheduler._
import org.apache.spark.storage.{RDDInfo, StorageLevel}

/** The part of Spark's private API that the listener benchmark needs. */
object BenchListeners {

  /** The type of all listeners of a bus. */
  type Listener = SparkListenerInterface

  /** A listener that does nothing. */
  final class Nothing extends SparkListener

  def add(context: SparkContext, listener: SparkListenerInterface, queue: String): Unit = context.listenerBus.addToQueue(listener, queue)

  def remove(context: SparkContext, listener: SparkListenerInterface): Unit = context.listenerBus.removeListener(listener)

  /** Waits until every queue of the application is empty. */
  def drain(context: SparkContext): Unit = context.listenerBus.waitUntilEmpty()

  /** The number of events that a queue of the application has dropped. */
  def dropped(context: SparkContext, queue: String): Long = dropped(context.listenerBus, queue)

  private[andironshim] def dropped(bus: LiveListenerBus, queue: String): Long =
    bus.metrics.metricRegistry.getCounters.get(s"queue.$queue.numDroppedEvents").getCount

  /** Runs `job` and returns the end events of its tasks. */
  def ends(context: SparkContext)(job: => Unit): Seq[SparkListenerTaskEnd] = {
    val all = mutable.ArrayBuffer.empty[SparkListenerTaskEnd]
    val listener = new SparkListener {
      override def onTaskEnd(end: SparkListenerTaskEnd): Unit = all += end
    }
    context.addSparkListener(listener)
    job
    drain(context)
    context.removeSparkListener(listener)
    all.toSeq
  }

  /** The successful ends of `count` tasks of a stage, modelled on `models`, each with its own objects. */
  def stream(models: Seq[SparkListenerTaskEnd], count: Int): Array[TaskInfo] = Array.tabulate(count) { partition =>
    val model = models(partition % models.size).taskInfo
    val info = new TaskInfo(partition.toLong, partition, 0, partition, model.launchTime, model.executorId, model.host, TaskLocality.PROCESS_LOCAL, false)
    info.markFinished(TaskState.FINISHED, model.finishTime)
    info.setAccumulables(model.accumulables.map(_.copy()))
    info
  }

  def end(stage: Int, info: TaskInfo, model: SparkListenerTaskEnd): SparkListenerTaskEnd =
    SparkListenerTaskEnd(stage, 0, model.taskType, model.reason, info, model.taskExecutorMetrics, model.taskMetrics)

  /** The event of a submitted stage with a new terminal RDD. */
  def stage(context: SparkContext, stage: Int, tasks: Int, model: SparkListenerTaskEnd): SparkListenerStageSubmitted = {
    val rdd = new RDDInfo(context.emptyRDD[Int].id, "bench", tasks, StorageLevel.NONE, false, Nil)
    SparkListenerStageSubmitted(new StageInfo(stage, 0, "bench", tasks, Seq(rdd), Nil, "", model.taskMetrics, resourceProfileId = 0))
  }
}

/** A second bus with one queue. Its first listener blocks the queue between `hold` and the release. */
final class BenchBus(context: SparkContext, listener: SparkListenerInterface, capacity: Int) {
  @volatile private var gate = new CountDownLatch(0)
  private val bus = new LiveListenerBus(context.getConf.set(s"spark.scheduler.listenerbus.eventqueue.${BenchBus.Queue}.capacity", capacity.toString))
  bus.addToQueue(listener, BenchBus.Queue)
  bus.addToQueue(new SparkListener {
    override def onOtherEvent(event: SparkListenerEvent): Unit = gate.await()
  }, BenchBus.Queue)
  bus.start(context, context.env.metricsSystem)

  /** Blocks the queue: events wait from now on. */
  def hold(): Unit = {
    gate = new CountDownLatch(1)
    bus.post(BenchBus.Held)
  }

  def release(): Unit = gate.countDown()

  def post(event: SparkListenerEvent): Unit = bus.post(event)

  def drain(): Unit = bus.waitUntilEmpty()

  def dropped: Long = BenchListeners.dropped(bus, BenchBus.Queue)

  def waiting: Option[Gauge[_]] = Gathering.waiting(bus, BenchBus.Queue)

  def stop(): Unit = bus.stop()
}

object BenchBus {
  val Queue = "bench"

  private case object Held extends SparkListenerEvent {
    override protected[spark] def logEvent: Boolean = false
  }
}
