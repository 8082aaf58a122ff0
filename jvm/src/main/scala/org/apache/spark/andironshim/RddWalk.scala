package org.apache.spark.andironshim

import scala.collection.mutable

import org.apache.spark.ShuffleDependency
import org.apache.spark.rdd.{CheckpointRDD, PartitionPruningRDD, RDD}
import org.apache.spark.storage.StorageLevel

/** Which instances of steps the rows of RDDs come from. One thread. */
private[andironshim] final class RddWalk(lineage: JobLineage) {
  private val done = mutable.HashSet.empty[(Int, Boolean, Boolean)]
  private val found = mutable.ArrayBuffer.empty[Reached]
  private val shuffles = mutable.HashSet.empty[Int]
  private var isCut = false
  private var checkpoints = false
  private var unrecorded = false
  private var unsure = false
  private val begun = mutable.ArrayBuffer.empty[RDD[_]]

  def reached: Seq[Reached] = Reached.merge(found)

  /** The stages that wrote the shuffles which are read; None where a checkpoint hides some. */
  def writers: Option[Set[Int]] = if (isCut) None else Some(shuffles.toSet.flatMap((shuffle: Int) => lineage.writersOf(shuffle)))

  /** Whether a checkpoint was met. */
  def readsCheckpoint: Boolean = checkpoints

  /** Something is read that no shuffle and no block keeps: a broadcast that another execution has made. */
  def cut(): Unit = isCut = true

  /** Whether a checkpoint was met whose lineage is no longer recorded. */
  def hasUnrecorded: Boolean = unrecorded

  /** Whether sides were met of which an operator, or a cache, has no execution that is known. */
  def isUnsure: Boolean = unsure

  /** The RDDs whose lineages were added. */
  def roots: Seq[RDD[_]] = begun.toSeq

  /** Adds an instance that adaptive execution has removed from the plan, and nothing below it. */
  def discarded(rdd: RDD[_]): Unit = found ++= Reached.removed(rdd, behind = false): Unit

  /** Adds what `rdd` comes from; the flags as in [[Reached]]. */
  def visit(rdd: RDD[_], behind: Boolean, partial: Boolean): Unit = {
    begun += rdd
    var open = List(Visit(rdd, behind, partial))
    while (open.nonEmpty) {
      val visit = open.head
      open = open.tail
      val next: RDD[_] = visit.rdd
      val isPartial = visit.partial
      val isCheckpoint = next.isInstanceOf[CheckpointRDD[_]] || next.isCheckpointed
      val keeps = visit.behind || next.getStorageLevel != StorageLevel.NONE || isCheckpoint
      if (done.add((next.id, keeps, isPartial))) {
        next match {
          case step: StepInstance =>
            found += Reached(StepRun(step.stepId, step.siteId, step.instance), keeps, isPartial, next.getNumPartitions)
          // No shuffle and no block keeps what a broadcast or a sub-query has brought.
          case marked: StepSidesRDD =>
            isCut = true
            found ++= marked.sides.others
            unsure ||= marked.sides.isUnsure
            open = marked.sides.rdds.map(Visit(_, behind = true, isPartial)).toList ++ open
          case _ =>
        }
        // What is below a checkpoint was cut off when it was made: jobs have told of it before.
        if (isCheckpoint) {
          isCut = true
          checkpoints = true
          lineage.below(next.id).foreach(run => found += run.copy(partial = isPartial))
          if (lineage.hasForgotten(next.id)) unrecorded = true
        }
        next.dependencies.foreach { dependency =>
          val crosses = dependency match {
            case shuffle: ShuffleDependency[_, _, _] => shuffles.add(shuffle.shuffleId); true
            case _                                   => false
          }
          open = Visit(dependency.rdd, keeps || crosses, isPartial || next.isInstanceOf[PartitionPruningRDD[_]]) :: open
        }
      }
    }
  }
}

private[andironshim] object RddWalk {

  /** Whether the rows of an RDD come from a step, or from a checkpoint, which may hide one. */
  def hasStep(rdd: RDD[_], lineage: JobLineage): Boolean = {
    val walk = new RddWalk(lineage)
    walk.visit(rdd, behind = false, partial = false)
    walk.reached.nonEmpty || walk.readsCheckpoint
  }
}

private final case class Visit(rdd: RDD[_], behind: Boolean, partial: Boolean)
