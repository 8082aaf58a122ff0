package org.apache.spark.andironshim

import java.util.concurrent.ConcurrentHashMap

import scala.ref.WeakReference

import org.apache.spark.rdd.RDD
import org.apache.spark.sql.execution.SQLExecution

/** An instance of a step's operator, without its RDD. */
final case class StepRun(step: Long, site: Long, instance: Long)

/**
 * An instance from which rows can come into what is judged.
 *
 * @param behind through a persisted RDD, a checkpoint or a shuffle, which may hold what ran before and elsewhere
 * @param partial something reads a part of its partitions
 * @param partitions how many it has
 * @param discarded adaptive execution has removed it from the plan: what it gave is in the result only if that is nothing at all
 */
final case class Reached(run: StepRun, behind: Boolean, partial: Boolean, partitions: Int, discarded: Boolean = false) {

  /** Both ways to one instance: it may be read from what was kept; a part suffices only if it does on both. */
  def and(other: Reached): Reached = copy(behind = behind || other.behind, partial = partial && other.partial, discarded = discarded && other.discarded)
}

object Reached {
  def merge(all: Iterable[Reached]): Seq[Reached] =
    all.foldLeft(Map.empty[StepRun, Reached])((known, one) => known.updated(one.run, known.get(one.run).fold(one)(_.and(one)))).values.toSeq
}

/** The instances that this driver has made: by their RDD, and by the SQL execution that made them. Any thread. */
object StepRuns {
  private val Most = 200000

  /** RDDs are numbered as they are made: the least number is the oldest. */
  private val byRdd = new java.util.concurrent.ConcurrentSkipListMap[Int, StepRun]
  private val sides = new java.util.concurrent.ConcurrentSkipListMap[Int, Set[Int]]
  private val byExecution = new ConcurrentHashMap[Long, Vector[WeakReference[RDD[_]]]]
  @volatile private var forgotten = -1

  /** An instance is made, by the thread that executes its plan. */
  def made(rdd: RDD[_] with StepInstance): Unit = {
    byRdd.put(rdd.id, StepRun(rdd.stepId, rdd.siteId, rdd.instance))
    while (byRdd.size > Most) forgotten = math.max(forgotten, byRdd.pollFirstEntry().getKey)
    Option(rdd.sparkContext.getLocalProperty(SQLExecution.EXECUTION_ID_KEY)).foreach { id =>
      byExecution.merge(id.toLong, Vector(new WeakReference[RDD[_]](rdd)), (a, b) => a ++ b): Unit
    }
  }

  /** The rows of an RDD come from these too, which are in no lineage of it. */
  private[andironshim] def besides(rdd: Int, others: Seq[Int]): Unit = {
    sides.put(rdd, others.toSet)
    while (sides.size > Most) forgotten = math.max(forgotten, sides.pollFirstEntry().getKey)
  }

  /** What the rows of an RDD come from beside its lineage. */
  private[andironshim] def sidesOf(rdd: Int): Set[Int] = sides.getOrDefault(rdd, Set.empty)

  /** Another application begins in this process. */
  def clear(): Unit = {
    byRdd.clear()
    sides.clear()
    byExecution.clear()
    forgotten = -1
  }

  /** An execution has ended. */
  def ended(execution: Long): Unit = byExecution.remove(execution): Unit

  /** The instance that an RDD is. */
  def of(rdd: Int): Option[StepRun] = Option(byRdd.get(rdd))

  /** Whether instances up to this RDD may have been forgotten. */
  def hasForgotten(rdd: Int): Boolean = rdd <= forgotten

  /** What an execution has made so far. */
  def of(execution: Long): Seq[RDD[_]] = Option(byExecution.get(execution)).toSeq.flatten.flatMap(_.get)
}
