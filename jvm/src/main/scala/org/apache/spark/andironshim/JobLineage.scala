package org.apache.spark.andironshim

import scala.collection.mutable

import org.apache.spark.scheduler.{SparkListenerJobStart, StageInfo}
import org.apache.spark.storage.RDDInfo

/**
 * The inputs of a job.
 *
 * @param reached the instances of steps that it reads
 * @param writers the stages that wrote the shuffles that it reads; None if a checkpoint hides some
 */
final case class JobReads(reached: Seq[Reached], writers: Option[Set[Int]])

object JobReads {
  val Nothing: JobReads = JobReads(Nil, Some(Set.empty))
}

/**
 * Records the step instances that jobs read, from Spark's job start events, and keeps them after a checkpoint cuts off
 * the lineage. Any thread.
 */
final class JobLineage {
  private final class Node(var parents: Set[Int], var keeps: Boolean, var isCut: Boolean, var partitions: Int, val prunes: Boolean)

  // Only RDDs that derive from a step's instance, oldest first.
  private val nodes = new java.util.LinkedHashMap[Int, Node]
  private var forgotten = -1
  private val writers = new java.util.LinkedHashMap[Int, Set[Int]]

  /** The stages that wrote a shuffle. */
  def writersOf(shuffle: Int): Set[Int] = synchronized(writers.getOrDefault(shuffle, Set.empty))

  /** Records a job that begins, and returns its inputs from steps. */
  def began(event: SparkListenerJobStart): JobReads = synchronized {
    val stages = event.stageInfos
    val told = mutable.LinkedHashMap.empty[Int, RDDInfo]
    stages.foreach(_.rddInfos.foreach(info => told(info.id) = info))
    for (stage <- stages; shuffle <- JobLineage.shuffleOf(stage)) writers.merge(shuffle, Set(stage.stageId), (a, b) => a ++ b)
    while (writers.size > JobLineage.Most) writers.remove(writers.keySet().iterator().next())
    val relevant = ofSteps(told)
    if (relevant.isEmpty) JobReads.Nothing
    else {
      relevant.foreach(id => note(told(id), relevant))
      val shuffles = stages.flatMap(stage => JobLineage.shuffleOf(stage))
      val isCut = relevant.exists(id => !StepRuns.sidesOf(id).isEmpty || nodes.containsKey(id) && nodes.get(id).isCut)
      JobReads(stages.sortBy(_.stageId).lastOption.toSeq.flatMap(reads(_, stages)), if (isCut) None else Some(shuffles.flatMap(writersOf).toSet))
    }
  }

  /** The instances below a checkpointed RDD. */
  def below(rdd: Int): Seq[Reached] = synchronized {
    if (nodes.containsKey(rdd)) walk(rdd, isBehind = true, isPartial = false, (_, _) => false) else Nil
  }

  /** Whether instances below an RDD may have been evicted from these records. */
  def hasForgotten(rdd: Int): Boolean = synchronized(rdd <= forgotten || StepRuns.hasForgotten(rdd))

  /** The RDDs that are an instance, or derive from one, according to `told` or earlier records. */
  private def ofSteps(told: mutable.LinkedHashMap[Int, RDDInfo]): Set[Int] = {
    val verdicts = mutable.HashMap.empty[Int, Boolean]
    // Parents have smaller numbers than their children.
    told.keys.toSeq.sorted.foreach { id =>
      def comes(parent: Int): Boolean = verdicts.getOrElse(parent, nodes.containsKey(parent))
      verdicts(id) = StepRuns.of(id).isDefined || !StepRuns.sidesOf(id).isEmpty || nodes.containsKey(id) || parentsOf(told(id)).exists(comes)
    }
    verdicts.collect { case (id, true) => id }.toSet
  }

  private def parentsOf(info: RDDInfo): Seq[Int] = info.parentIds ++ StepRuns.sidesOf(info.id).rdds

  private def note(info: RDDInfo, relevant: Set[Int]): Unit = {
    val parents = parentsOf(info).filter(id => relevant(id) || nodes.containsKey(id)).toSet
    val known = nodes.get(info.id)
    if (known == null) nodes.put(info.id, new Node(parents, info.storageLevel.isValid, isCut = false, info.numPartitions, info.name == JobLineage.Pruning)): Unit
    else {
      // Spark no longer reports the parents of a checkpointed RDD.
      if (parents != known.parents) known.isCut = true
      known.parents ++= parents
      known.keeps ||= info.storageLevel.isValid
      known.partitions = math.max(known.partitions, info.numPartitions)
    }
    while (nodes.size > JobLineage.Most) {
      val oldest = nodes.entrySet().iterator().next().getKey
      nodes.remove(oldest)
      forgotten = math.max(forgotten, oldest)
    }
  }

  private def reads(result: StageInfo, stages: Seq[StageInfo]): Seq[Reached] = result.rddInfos.headOption.toSeq.flatMap { last =>
    val members = mutable.HashMap.empty[Int, Set[Int]]
    for (stage <- stages; info <- stage.rddInfos) members(info.id) = members.getOrElse(info.id, Set.empty) + stage.stageId
    def crosses(child: Int, parent: Int): Boolean = !members.getOrElse(child, Set.empty).exists(members.getOrElse(parent, Set.empty))
    if (nodes.containsKey(last.id)) walk(last.id, isBehind = false, isPartial = result.numTasks < last.numPartitions, crosses) else Nil
  }

  private def walk(root: Int, isBehind: Boolean, isPartial: Boolean, crosses: (Int, Int) => Boolean): Seq[Reached] = {
    val found = mutable.ArrayBuffer.empty[Reached]
    val done = mutable.HashSet.empty[(Int, Boolean, Boolean)]
    var open = List((root, isBehind, isPartial))
    while (open.nonEmpty) {
      val (id, wasBehind, partial) = open.head
      open = open.tail
      val node = nodes.get(id)
      val behind = wasBehind || node != null && (node.keeps || node.isCut)
      if (node != null && done.add((id, behind, partial))) {
        StepRuns.of(id).foreach(run => found += Reached(run, behind, partial, node.partitions))
        val sides = StepRuns.sidesOf(id)
        found ++= sides.others
        node.parents.foreach(parent => open = (parent, behind || sides.rdds(parent) || crosses(id, parent), partial || node.prunes) :: open)
      }
    }
    Reached.merge(found)
  }
}

object JobLineage {
  private val Most = 200000

  /** The shuffle that a stage writes; None if it writes none or this Spark does not expose it. */
  def shuffleOf(stage: StageInfo): Option[Int] =
    try stage.shuffleDepId
    catch { case _: LinkageError => None }

  /** Spark's name for an RDD that omits partitions. */
  private val Pruning = "PartitionPruningRDD"
}
