package org.apache.spark.andironshim

import java.util.concurrent.ConcurrentHashMap

import scala.ref.WeakReference

import org.apache.spark.SparkContext
import org.apache.spark.rdd.RDD
import org.apache.spark.sql.execution.SQLExecution

/** An instance of a step's operator, without its RDD. */
final case class StepRun(step: Long, site: Long, instance: Long)

/**
 * An instance whose rows can be part of the judged rows.
 *
 * @param behind it is read through a persisted RDD, a checkpoint or a shuffle, which may contain rows of earlier or
 *   other evaluations
 * @param partial only some of its partitions are read
 * @param partitions the number of its partitions
 * @param discarded adaptive execution has removed it from the plan: its rows are part of the result only if there are
 *   none
 */
final case class Reached(run: StepRun, behind: Boolean, partial: Boolean, partitions: Int, discarded: Boolean = false) {

  /** Combines two paths to one instance: `behind` if either is, `partial` and `discarded` only if both are. */
  def and(other: Reached): Reached = copy(behind = behind || other.behind, partial = partial && other.partial, discarded = discarded && other.discarded)
}

object Reached {

  /** An instance that adaptive execution has removed from a plan; `behind`: from another execution's plan. */
  private[andironshim] def removed(rdd: RDD[_], behind: Boolean): Option[Reached] = rdd match {
    case step: StepInstance =>
      Some(Reached(StepRun(step.stepId, step.siteId, step.instance), behind, partial = false, rdd.getNumPartitions, discarded = true))
    case _ => None
  }

  def merge(all: Iterable[Reached]): Seq[Reached] =
    all.foldLeft(Map.empty[StepRun, Reached])((known, one) => known.updated(one.run, known.get(one.run).fold(one)(_.and(one)))).values.toSeq
}

/** Inputs of an RDD's rows that are not in its lineage, as in [[Sides]]. */
private[andironshim] final case class Beside(rdds: Set[Int], others: Seq[Reached]) {
  def isEmpty: Boolean = rdds.isEmpty && others.isEmpty
}

private[andironshim] object Beside {
  val Nothing: Beside = Beside(Set.empty, Nil)
}

/** A planned query: the RDDs with steps that the plan reads, and the instances made since, each with its execution. */
private[andironshim] final case class Query(leaves: Vector[WeakReference[RDD[_]]], made: Vector[(Option[Long], WeakReference[RDD[_] with StepInstance])])

/** The instances made in this driver, by RDD and by SQL execution. Any thread. */
object StepRuns {
  private val Most = 200000
  private val MostQueries = 1000
  private val MostOfQuery = 1000

  /**
   * A thread property with the number of the planned query. Spark passes it to the threads that execute a plan's
   * stages.
   */
  private val QueryKey = "andiron.query"

  /** RDDs are numbered in the order of creation: the smallest number is the oldest. */
  private val byRdd = new java.util.concurrent.ConcurrentSkipListMap[Int, StepRun]
  private val sides = new java.util.concurrent.ConcurrentSkipListMap[Int, Beside]
  private val byExecution = new ConcurrentHashMap[Long, Vector[WeakReference[RDD[_]]]]
  private val byQuery = new java.util.concurrent.ConcurrentSkipListMap[Long, Query]
  private val cachedSites = ConcurrentHashMap.newKeySet[Long]()
  private val queries = new java.util.concurrent.atomic.AtomicLong
  @volatile private var forgotten = -1

  /** Records a new instance; called by the thread that executes its plan. */
  def made(rdd: RDD[_] with StepInstance): Unit = {
    byRdd.put(rdd.id, StepRun(rdd.stepId, rdd.siteId, rdd.instance))
    while (byRdd.size > Most) forgotten = math.max(forgotten, byRdd.pollFirstEntry().getKey)
    val itself = new WeakReference[RDD[_] with StepInstance](rdd)
    val execution = executionOf(rdd.sparkContext)
    execution.foreach(id => byExecution.merge(id, Vector(new WeakReference[RDD[_]](rdd)), (a, b) => a ++ b))
    numberIn(rdd.sparkContext, QueryKey).foreach { query =>
      byQuery.computeIfPresent(query, (_, known) => known.copy(made = known.made.takeRight(MostOfQuery) :+ (execution -> itself)))
    }
  }

  /** Records inputs of an RDD's rows that are not in its lineage. */
  private[andironshim] def besides(rdd: Int, others: Beside): Unit = {
    sides.put(rdd, others)
    while (sides.size > Most) forgotten = math.max(forgotten, sides.pollFirstEntry().getKey)
  }

  /** The inputs of an RDD's rows that are not in its lineage. */
  private[andironshim] def sidesOf(rdd: Int): Beside = sides.getOrDefault(rdd, Beside.Nothing)

  /** Records that the calling thread begins to plan a query that reads `leaves`. */
  private[andironshim] def beginQuery(leaves: Seq[RDD[_]]): Unit = SparkContext.getActive.foreach { context =>
    val query = queries.incrementAndGet()
    byQuery.put(query, Query(leaves.map(new WeakReference[RDD[_]](_)).toVector, Vector.empty))
    while (byQuery.size > MostQueries) byQuery.pollFirstEntry()
    context.setLocalProperty(QueryKey, query.toString)
  }

  /** The RDDs read by the query that the calling thread has planned last. */
  private[andironshim] def leavesOfQuery: Seq[RDD[_]] = query.toSeq.flatMap(_.leaves).flatMap(_.get)

  /**
   * The instances made for that query in the calling thread's execution, or outside executions, by this thread and its
   * workers.
   */
  private[andironshim] def madeForQuery: Seq[RDD[_] with StepInstance] = for {
    known      <- query.toSeq
    (of, made) <- known.made
    rdd        <- made.get.toSeq
    if of == executionOf(rdd.sparkContext)
  } yield rdd

  /** Records that operators of these sites are in the plans of caches. */
  private[andironshim] def cached(sites: Iterable[Long]): Unit = sites.foreach(cachedSites.add(_))

  private[andironshim] def isCached(site: Long): Boolean = cachedSites.contains(site)

  private def query: Option[Query] = SparkContext.getActive.flatMap(numberIn(_, QueryKey)).flatMap(query => Option(byQuery.get(query)))

  private def executionOf(context: SparkContext): Option[Long] = numberIn(context, SQLExecution.EXECUTION_ID_KEY)

  private def numberIn(context: SparkContext, key: String): Option[Long] = Option(context.getLocalProperty(key)).map(_.toLong)

  /** Clears all records when another application begins in this process. */
  def clear(): Unit = {
    byRdd.clear()
    sides.clear()
    byQuery.clear()
    cachedSites.clear()
    byExecution.clear()
    forgotten = -1
  }

  /** Drops the records of an execution that has ended. */
  def ended(execution: Long): Unit = byExecution.remove(execution): Unit

  /** The instance with this RDD number; None if the RDD is not an instance. */
  def of(rdd: Int): Option[StepRun] = Option(byRdd.get(rdd))

  /** The instances of the operators with these sites. */
  private[andironshim] def ofSites(sites: Set[Long]): Seq[StepRun] = {
    var found = Vector.empty[StepRun]
    if (sites.nonEmpty) byRdd.values.forEach(run => if (sites(run.site)) found :+= run)
    found
  }

  /** Whether the record of this RDD may have been evicted. */
  def hasForgotten(rdd: Int): Boolean = rdd <= forgotten

  /** The RDDs that an execution has made up to now. */
  def of(execution: Long): Seq[RDD[_]] = Option(byExecution.get(execution)).toSeq.flatten.flatMap(_.get)
}
