package org.apache.spark.andironshim

import java.util.concurrent.atomic.AtomicLong

import org.apache.spark.{SparkContext, SparkEnv, Success, TaskContext}
import org.apache.spark.rdd.RDD
import org.apache.spark.scheduler._
import org.apache.spark.shuffle.FetchFailedException
import org.apache.spark.storage.RDDBlockId

/** Faults of Spark's own, and the proof that they happened, for suites. */
object Faults {

  /** Throws Spark's exception for a block of the shuffle that cannot be fetched. Called in a task. */
  def failFetch(shuffle: Int): Nothing = {
    val here = SparkEnv.get.blockManager.blockManagerId
    throw new FetchFailedException(here, shuffle, 0L, 0, TaskContext.getPartitionId(), "injected")
  }

  /** The shuffle that `rdd` reads first. */
  def shuffleOf(rdd: RDD[_]): Int = {
    def find(next: RDD[_]): Option[Int] = next.dependencies.iterator.flatMap {
      case d: org.apache.spark.ShuffleDependency[_, _, _] => Some(d.shuffleId)
      case d                                              => find(d.rdd)
    }.buffered.headOption
    find(rdd).get
  }

  /** Forgets all outputs of a shuffle, as if the hosts that had them were gone. */
  def loseShuffle(shuffle: Int): Unit =
    SparkEnv.get.mapOutputTracker.asInstanceOf[org.apache.spark.MapOutputTrackerMaster].unregisterAllMapAndMergeOutput(shuffle)

  /** Drops the cached blocks that this process has of an RDD that goes on being persistent. Returns how many there were. */
  def loseBlocks(rdd: RDD[_]): Int = loseBlocks(rdd.id, rdd.partitions.map(_.index).toSeq)

  /** Drops those that this process, an executor among others, has of these partitions. */
  def loseBlocks(rdd: Int, partitions: Seq[Int]): Int = partitions.map(RDDBlockId(rdd, _)).count { block =>
    val manager = SparkEnv.get.blockManager
    val isThere = manager.getStatus(block).isDefined
    manager.removeBlock(block)
    isThere
  }

  /** Waits until every listener has had every event. */
  def drain(context: SparkContext): Unit = context.listenerBus.waitUntilEmpty()

  /** Keeps Andiron's listener queue waiting until the latch opens. */
  def stall(context: SparkContext, latch: java.util.concurrent.CountDownLatch): Unit =
    context.listenerBus.addToQueue(new SparkListener {
      override def onTaskStart(event: SparkListenerTaskStart): Unit = latch.await()
    }, MetricsInternals.Queue)

  /** An executor that has the block of a persisted RDD's partition. */
  def holderOf(rdd: Int, partition: Int): String =
    SparkEnv.get.blockManager.master.getLocations(RDDBlockId(rdd, partition)).head.executorId

  def queueDrops: Long = MetricsInternals.droppedEvents()
}

/** The ends of an application's tasks, and the values of a named accumulator in Spark's stages. */
final class Witness(context: SparkContext) extends SparkListener {
  private val counts = new java.util.concurrent.ConcurrentHashMap[String, AtomicLong]
  private val sums = new java.util.concurrent.ConcurrentHashMap[String, AtomicLong]
  private val completed = java.util.concurrent.ConcurrentHashMap.newKeySet[Int]()

  private def count(what: String, n: Long = 1): Unit = counts.computeIfAbsent(what, _ => new AtomicLong).addAndGet(n): Unit

  override def onTaskEnd(event: SparkListenerTaskEnd): Unit = {
    count(event.reason match {
      case Success => "success"
      case other   => other.getClass.getSimpleName.stripSuffix("$")
    })
    if (event.taskInfo.speculative) count("speculative copy")
    if (event.stageAttemptId > 0) count("later stage attempt")
  }

  override def onStageCompleted(event: SparkListenerStageCompleted): Unit = {
    count("stage")
    if (event.stageInfo.failureReason.isEmpty) completed.add(event.stageInfo.stageId)
    event.stageInfo.accumulables.values.foreach { info =>
      (info.name, info.value) match {
        case (Some(name), Some(value: Long)) => sums.computeIfAbsent(name, _ => new AtomicLong).addAndGet(value): Unit
        case _                               =>
      }
    }
  }

  /** How often it happened. */
  def of(what: String): Long = {
    Faults.drain(context)
    Option(counts.get(what)).fold(0L)(_.get)
  }

  /** The number of completed stages; the attempts of a stage count once. */
  def stages: Int = {
    Faults.drain(context)
    completed.size()
  }

  /** The sum of the accumulator's values over completed stages. */
  def stageSum(accumulator: String): Long = {
    Faults.drain(context)
    Option(sums.get(accumulator)).fold(0L)(_.get)
  }
}
