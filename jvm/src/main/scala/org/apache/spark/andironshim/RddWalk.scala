package org.apache.spark.andironshim

import scala.collection.mutable

import org.apache.spark.ShuffleDependency
import org.apache.spark.rdd.{CheckpointRDD, PartitionPruningRDD, RDD}
import org.apache.spark.storage.StorageLevel

/** Determines the instances of steps from which the rows of RDDs come. One thread. */
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

  /** The stages that wrote the shuffles read by these RDDs; None if a checkpoint hides some. */
  def writers: Option[Set[Int]] = if (isCut) None else Some(shuffles.toSet.flatMap((shuffle: Int) => lineage.writersOf(shuffle)))

  /** Whether a checkpoint was found. */
  def readsCheckpoint: Boolean = checkpoints

  /**
   * Marks the lineage as incomplete: an input, such as another execution's broadcast, is in no shuffle and no block.
   */
  def cut(): Unit = isCut = true

  /** Whether a checkpoint was found whose lineage is no longer recorded. */
  def hasUnrecorded: Boolean = unrecorded

  /** Whether sides were found with an operator or a cache whose execution is unknown. */
  def isUnsure: Boolean = unsure

  /** The RDDs whose lineages were added. */
  def roots: Seq[RDD[_]] = begun.toSeq

  /** Adds an instance that adaptive execution has removed from the plan, without its inputs. */
  def discarded(rdd: RDD[_]): Unit = found ++= Reached.removed(rdd, behind = false): Unit

  /** Adds the inputs of `rdd`; the flags are those of [[Reached]]. */
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
          // Rows from a broadcast or a sub-query are in no shuffle and no block.
          case marked: StepSidesRDD =>
            isCut = true
            found ++= marked.sides.others
            unsure ||= marked.sides.isUnsure
            open = marked.sides.rdds.map(Visit(_, behind = true, isPartial)).toList ++ open
          case _ =>
        }
        // A checkpoint has cut off the lineage below it; earlier jobs' events have recorded it.
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
