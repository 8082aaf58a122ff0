package org.apache.spark.andironshim

import java.util.{Collections, IdentityHashMap}

import scala.collection.mutable

import org.apache.spark.rdd.RDD
import org.apache.spark.sql.catalyst.plans.QueryPlan
import org.apache.spark.sql.catalyst.plans.logical
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan
import org.apache.spark.sql.execution._
import org.apache.spark.sql.execution.adaptive.{AdaptiveSparkPlanExec, QueryStageExec}
import org.apache.spark.sql.execution.columnar.{InMemoryRelation, InMemoryTableScanExec}
import org.apache.spark.sql.execution.exchange.ReusedExchangeExec

/**
 * The sources of a write.
 *
 * @param execution the SQL execution that writes
 * @param declared the steps in the user's plan, including those below caches, with their operators
 * @param reached the instances whose rows can be part of the write
 * @param writers the stages that wrote the shuffles that are read; None if a checkpoint hides some
 * @param readsCheckpoint it reads a checkpoint, and instances below that are known only from the events of jobs
 * @param incomplete why `reached` may be incomplete, or empty
 */
final case class WriteScope(
    execution: Long, declared: Map[Long, Set[Long]], reached: Seq[Reached], writers: Option[Set[Int]], readsCheckpoint: Boolean, incomplete: String) {

  /** Whether the result depends on the arrival of all job events. */
  def needsEvents: Boolean = readsCheckpoint || reached.exists(_.behind)

  /** This scope if those events have not arrived. */
  def withoutEvents: WriteScope =
    copy(writers = None, incomplete = if (readsCheckpoint) "the events about the lineage below a checkpoint have not arrived" else incomplete)


  /** The steps whose rows the write may contain. */
  def steps: Set[Long] = declared.keySet ++ reached.map(_.run.step)

  /** Combines this scope with the one from before the job. */
  def and(earlier: WriteScope): WriteScope = {
    val sites = (declared.toSeq ++ earlier.declared).groupBy(_._1).map { case (step, all) => step -> all.flatMap(_._2).toSet }
    val all = for (now <- writers; before <- earlier.writers) yield now ++ before
    copy(declared = sites, reached = Reached.merge(earlier.reached ++ reached), writers = all, readsCheckpoint = readsCheckpoint || earlier.readsCheckpoint)
  }
}

/** Finds the sources of a write in its plans and in the RDDs and caches that they read. */
private[andironshim] object WriteWalk {

  /** `root`: the enclosing execution, such as the query of a micro-batch. */
  def of(id: Long, root: Option[Long], execution: QueryExecution, lineage: JobLineage): WriteScope = {
    val walk = new WriteWalk(lineage, limits(execution))
    walk.declare(execution.analyzed)
    walk.physical(execution.executedPlan, behind = false)
    walk.leaves(execution.optimizedPlan)
    if (walk.hasHidden) {
      walk.leaves(execution.analyzed)
      walk.hiddenPlans.foreach(plan => walk.leaves(caches(execution).useCachedData(plan)))
    }
    // Adaptive execution removes operators when it knows that an input is empty: the other side of a join, or their own
    // output.
    val made = StepRuns.of(id)
    if (walk.hasHidden) made.foreach(walk.rdds.visit(_, behind = false, walk.partial))
    else made.foreach(rdd => if (walk.has(rdd)) walk.rdds.visit(rdd, behind = false, walk.partial) else walk.rdds.discarded(rdd))
    // A broadcast in the batch's plan is in no lineage of the batch's writes.
    root.filter(_ != id).map(StepRuns.of(_)).filter(_.nonEmpty).foreach { around =>
      walk.rdds.cut()
      around.foreach(walk.rdds.visit(_, behind = true, walk.partial))
    }
    walk.scope(id)
  }

  /** The steps of a plan that is not yet executed. */
  def stepsOf(plan: LogicalPlan, lineage: JobLineage): Set[Long] = {
    val walk = new WriteWalk(lineage, partial = false)
    walk.declare(plan)
    walk.scope(-1L).steps
  }

  /** The sources of side inputs; a checkpoint counts as a step. */
  def aside(plans: Seq[SparkPlan], lineage: JobLineage): WriteWalk = {
    val walk = new WriteWalk(lineage, partial = false)
    plans.foreach(walk.physical(_, behind = true))
    walk
  }

  /** By reflection: the session has another class in Spark 4. */
  private def caches(execution: QueryExecution): CacheManager = {
    def of(owner: AnyRef, part: String): AnyRef = owner.getClass.getMethod(part).invoke(owner)
    of(of(of(execution, "sparkSession"), "sharedState"), "cacheManager").asInstanceOf[CacheManager]
  }

  private def limits(execution: QueryExecution): Boolean = execution.optimizedPlan.exists {
    case _: logical.GlobalLimit | _: logical.LocalLimit | _: logical.Tail => true
    case _                                                              => false
  }
}

private[andironshim] final class WriteWalk(lineage: JobLineage, val partial: Boolean) {
  val rdds = new RddWalk(lineage)
  private val seen = Collections.newSetFromMap(new IdentityHashMap[AnyRef, java.lang.Boolean])
  private val declared = mutable.HashSet.empty[(Long, Long)]
  private val instances = Collections.newSetFromMap(new IdentityHashMap[AnyRef, java.lang.Boolean])
  private var hidden = false

  private val inside = mutable.ArrayBuffer.empty[LogicalPlan]
  private var emptied = false
  private val sites = mutable.HashSet.empty[Long]
  private var idle = false

  /** Whether an operator executes a plan internally that this walk cannot see. */
  def hasHidden: Boolean = hidden

  def hiddenPlans: Seq[LogicalPlan] = inside.toSeq

  /** Whether a step, or a checkpoint that may hide one, was found in a physical plan. */
  def hasStep: Boolean = sites.nonEmpty || stepsInside.nonEmpty || rdds.reached.nonEmpty || rdds.readsCheckpoint

  /** The sites of the operators found in a physical plan. */
  def operatorSites: Set[Long] = sites.toSet

  /** Whether an operator or cache without a known execution was found. */
  def isUnsure: Boolean = emptied || idle || rdds.isUnsure || !stepsInside.subsetOf((rdds.reached ++ reachedInside).map(_.run.step).toSet)

  /**
   * The instances of operators that execute plans themselves, such as recursions. Instances of other plans with the
   * same operators are included, because they cannot be distinguished.
   */
  def reachedInside: Seq[Reached] = if (inside.isEmpty) Nil else {
    val sites = within.declared.map(_._2).toSet
    StepRuns.ofSites(sites).map(Reached(_, behind = true, partial = false, 0))
  }

  private def stepsInside: Set[Long] = if (inside.isEmpty) Set.empty else within.declared.map(_._1).toSet

  private def within: WriteWalk = {
    val inner = new WriteWalk(lineage, partial)
    inside.foreach(inner.declare)
    inner
  }

  /** Whether the executed plan contains the operator that made this instance. */
  def has(instance: AnyRef): Boolean = instances.contains(instance)

  def scope(execution: Long): WriteScope = {
    val reached = rdds.reached
    val steps = declared.groupBy(_._1).map { case (step, parts) => step -> parts.map(_._2).toSet }
    val incomplete =
      if (rdds.hasUnrecorded) "it reads a checkpoint whose lineage is no longer known"
      else if (emptied) "a cache that it reads no longer exists, or adaptive execution emptied it while it was filled"
      else if (rdds.isUnsure) "it reads a Dataset's RDD with a broadcast or a sub-query with a step without a known execution"
      else if (hidden && !steps.keySet.subsetOf(reached.map(_.run.step).toSet)) "an operator in its plan executes another plan internally, which cannot be inspected"
      else ""
    WriteScope(execution, steps, reached, rdds.writers, rdds.readsCheckpoint, incomplete)
  }

  /** Adds the steps in the user's plan and in the RDDs that it reads. */
  def declare(plan: LogicalPlan): Unit = {
    val below = new RddWalk(lineage)
    each(plan, Collections.newSetFromMap(new IdentityHashMap[AnyRef, java.lang.Boolean])) {
      case MapOfStep(step)      => declared += step.stepId -> step.siteId: Unit
      case leaf: LogicalRDD     => below.visit(leaf.rdd, behind = false, partial)
      case leaf: ExternalRDD[_] => below.visit(leaf.rdd, behind = false, partial)
      case _                    =>
    }
    below.reached.foreach(reached => declared += reached.run.step -> reached.run.site)
  }

  /** Adds the sources of a plan's RDDs and caches. */
  def leaves(plan: LogicalPlan): Unit = each(plan, seen) {
    case leaf: LogicalRDD         => rdds.visit(leaf.rdd, behind = false, partial)
    case leaf: ExternalRDD[_]     => rdds.visit(leaf.rdd, behind = false, partial)
    case cached: InMemoryRelation => cache(cached)
    case _                        =>
  }

  private def each(plan: LogicalPlan, known: java.util.Set[AnyRef])(look: LogicalPlan => Unit): Unit = if (known.add(plan)) {
    look(plan)
    plan.children.foreach(each(_, known)(look))
    plan.innerChildren.foreach { case inner: LogicalPlan => each(inner, known)(look); case _ => }
    plan.subqueries.foreach(each(_, known)(look))
  }

  private def inner(plan: QueryPlan[_], behind: Boolean): Unit = plan match {
    case plan: LogicalPlan => inside += plan: Unit
    case plan: SparkPlan   => physical(plan, behind)
    case _                 =>
  }

  def physical(plan: SparkPlan, behind: Boolean): Unit = if (seen.add(plan)) {
    plan match {
      case step: StepExec =>
        sites += step.step.siteId
        idle ||= step.instances.isEmpty
        step.instances.foreach { instance =>
          instances.add(instance)
          if (behind) rdds.visit(instance.asRdd, behind, partial)
        }
      case adaptive: AdaptiveSparkPlanExec => physical(adaptive.executedPlan, behind)
      case stage: QueryStageExec           => physical(stage.plan, behind)
      case reused: ReusedExchangeExec      => physical(reused.child, behind)
      case reused: ReusedSubqueryExec      => physical(reused.child, behind)
      case scan: InMemoryTableScanExec     => cache(scan.relation)
      case leaf: RDDScanExec               => rdds.visit(leaf.rdd, behind, partial)
      case leaf: ExternalRDDScanExec[_]    => rdds.visit(leaf.rdd, behind, partial)
      // A command or a recursion plans and executes its inner plans itself.
      case other => if (other.innerChildren.exists(_.isInstanceOf[LogicalPlan])) hidden = true
    }
    plan.children.foreach(physical(_, behind))
    if (!plan.isInstanceOf[InMemoryTableScanExec]) plan.innerChildren.foreach(inner(_, behind))
    plan.subqueries.foreach(physical(_, behind))
  }

  /** Adds the sources of a cache: its RDD, and inputs outside the RDD's lineage, such as broadcasts. */
  private def cache(relation: InMemoryRelation): Unit = if (seen.add(relation.cacheBuilder)) {
    val was = idle
    physical(relation.cacheBuilder.cachedPlan, behind = true)
    idle = was
    Filled.of(relation.cacheBuilder).foreach(rdds.visit(_, behind = true, partial))
    // For the operators of a cache that is gone, or that adaptive execution emptied while it was filled, the dropped
    // rows are unknown.
    operators(relation.cacheBuilder.cachedPlan)
    if (!inCaches.subsetOf(rdds.reached.map(reached => reached.run.step -> reached.run.site).toSet)) emptied = true
  }

  private val inCaches = mutable.HashSet.empty[(Long, Long)]

  /** The operators of steps in a cache's plan before execution. */
  private def operators(plan: SparkPlan): Unit = plan match {
    case adaptive: AdaptiveSparkPlanExec => operators(adaptive.inputPlan)
    case scan: InMemoryTableScanExec     => operators(scan.relation.cacheBuilder.cachedPlan)
    case leaf: RDDScanExec               => operators(leaf.rdd)
    case leaf: ExternalRDDScanExec[_]    => operators(leaf.rdd)
    case other                           =>
      other match {
        case step: StepExec => inCaches += step.step.stepId -> step.step.siteId: Unit
        case _              =>
      }
      other.children.foreach(operators)
      other.subqueries.foreach(operators)
  }

  private def operators(rdd: RDD[_]): Unit = {
    val below = new RddWalk(lineage)
    below.visit(rdd, behind = false, partial)
    inCaches ++= below.reached.map(reached => reached.run.step -> reached.run.site)
  }
}

/** The RDD of a cache if it exists, by reflection, because the cache's own accessor would fill the cache. */
private object Filled {
  def of(builder: AnyRef): Option[RDD[_]] = {
    val field = builder.getClass.getDeclaredFields.find(_.getName.endsWith("_cachedColumnBuffers"))
      .getOrElse(throw new NoSuchFieldError("CachedRDDBuilder._cachedColumnBuffers"))
    field.setAccessible(true)
    Option(field.get(builder)).map(_.asInstanceOf[RDD[_]])
  }
}

private object MapOfStep {
  def unapply(plan: LogicalPlan): Option[StepOperator] = plan match {
    case logical.MapPartitions(f, _, _) =>
      (f: Any) match {
        case step: StepOperator => Some(step)
        case _                  => None
      }
    case _ => None
  }
}
