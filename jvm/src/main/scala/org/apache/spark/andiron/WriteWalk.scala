package org.apache.spark.andiron

import java.util.{Collections, IdentityHashMap}

import scala.collection.mutable

import org.apache.spark.sql.catalyst.plans.QueryPlan
import org.apache.spark.sql.catalyst.plans.logical
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan
import org.apache.spark.sql.execution._
import org.apache.spark.sql.execution.adaptive.{AdaptiveSparkPlanExec, QueryStageExec}
import org.apache.spark.sql.execution.columnar.{InMemoryRelation, InMemoryTableScanExec}
import org.apache.spark.sql.execution.command.ExecutedCommandExec
import org.apache.spark.sql.execution.exchange.ReusedExchangeExec

/**
 * What a write comes from.
 *
 * @param execution the SQL execution that writes
 * @param declared the steps in the plan as the user has written it, also below caches, with their operators
 * @param reached the instances from which rows can come
 * @param writers the stages that wrote the shuffles which are read; None where a checkpoint hides some
 * @param untold why some of what is reached may be missing, or empty
 */
final case class WriteScope(execution: Long, declared: Map[Long, Set[Long]], reached: Seq[Reached], writers: Option[Set[Int]], untold: String) {

  /** The steps that it is made of. */
  def steps: Set[Long] = declared.keySet ++ reached.map(_.run.step)

  /** What was seen before the job and after it. */
  def and(earlier: WriteScope): WriteScope = {
    val sites = (declared.toSeq ++ earlier.declared).groupBy(_._1).map { case (step, all) => step -> all.flatMap(_._2).toSet }
    val all = for (now <- writers; before <- earlier.writers) yield now ++ before
    copy(declared = sites, reached = Reached.merge(earlier.reached ++ reached), writers = all, untold = if (untold.nonEmpty) untold else earlier.untold)
  }
}

/** Finds what a write comes from, in its plans and in the RDDs and caches that they read. */
private[andiron] object WriteWalk {

  def of(id: Long, execution: QueryExecution, lineage: JobLineage): WriteScope = {
    val walk = new WriteWalk(lineage, limits(execution))
    walk.logical(execution.analyzed)
    walk.logical(execution.withCachedData)
    walk.physical(execution.executedPlan, behind = false)
    // Operators that the executed plan no longer has gave way to something that adaptive execution knows to be empty.
    val made = StepRuns.of(id)
    if (walk.hasHidden) made.foreach(walk.rdds.visit(_, behind = false, walk.partial))
    else made.filter(rdd => walk.has(rdd)).foreach(walk.rdds.visit(_, behind = false, walk.partial))
    walk.scope(id)
  }

  /** The steps of a plan that is not executed yet. */
  def stepsOf(plan: LogicalPlan): Set[Long] = {
    val walk = new WriteWalk(new JobLineage, partial = false)
    walk.logical(plan)
    walk.scope(-1L).steps
  }

  private def limits(execution: QueryExecution): Boolean = execution.optimizedPlan.exists {
    case _: logical.GlobalLimit | _: logical.LocalLimit | _: logical.Tail => true
    case _                                                              => false
  }
}

private final class WriteWalk(lineage: JobLineage, val partial: Boolean) {
  val rdds = new RddWalk(lineage)
  private val seen = Collections.newSetFromMap(new IdentityHashMap[AnyRef, java.lang.Boolean])
  private val declared = mutable.HashSet.empty[(Long, Long)]
  private val instances = Collections.newSetFromMap(new IdentityHashMap[AnyRef, java.lang.Boolean])
  private var hidden = false

  /** Whether a command executes a plan of its own, which is not seen. */
  def hasHidden: Boolean = hidden

  /** Whether the executed plan has what has made an instance. */
  def has(instance: AnyRef): Boolean = instances.contains(instance)

  def scope(execution: Long): WriteScope = {
    val untold = if (rdds.hasUnrecorded) "it reads a checkpoint whose lineage is no longer known" else ""
    WriteScope(execution, declared.groupBy(_._1).map { case (step, parts) => step -> parts.map(_._2).toSet }, rdds.reached, rdds.writers, untold)
  }

  def logical(plan: LogicalPlan): Unit = if (seen.add(plan)) {
    plan match {
      case MapOfStep(step)                => declared += step.stepId -> step.siteId
      case leaf: LogicalRDD               => rdds.visit(leaf.rdd, behind = false, partial)
      case leaf: ExternalRDD[_]           => rdds.visit(leaf.rdd, behind = false, partial)
      case cached: InMemoryRelation       => cache(cached)
      case _                              =>
    }
    plan.children.foreach(logical)
    plan.innerChildren.foreach(inner)
    plan.subqueries.foreach(logical)
  }

  private def inner(plan: QueryPlan[_]): Unit = plan match {
    case plan: LogicalPlan => logical(plan)
    case plan: SparkPlan   => physical(plan, behind = false)
    case _                 =>
  }

  def physical(plan: SparkPlan, behind: Boolean): Unit = if (seen.add(plan)) {
    plan match {
      case step: StepExec =>
        step.instances.foreach { instance =>
          instances.add(instance)
          if (behind) rdds.visit(instance.asRdd, behind, partial)
        }
      case adaptive: AdaptiveSparkPlanExec => physical(adaptive.executedPlan, behind)
      case stage: QueryStageExec           => physical(stage.plan, behind)
      case reused: ReusedExchangeExec      => physical(reused.child, behind)
      case scan: InMemoryTableScanExec     => cache(scan.relation)
      case command: ExecutedCommandExec    =>
        hidden = true
        command.innerChildren.foreach(inner)
      case leaf: RDDScanExec               => rdds.visit(leaf.rdd, behind, partial)
      case _                               =>
    }
    plan.children.foreach(physical(_, behind))
    plan.innerChildren.foreach(inner)
    plan.subqueries.foreach(physical(_, behind))
  }

  /** What has filled a cache: its RDD, and what is not in the RDD's lineage, as broadcasts. */
  private def cache(relation: InMemoryRelation): Unit = if (seen.add(relation.cacheBuilder)) {
    val builder = relation.cacheBuilder
    physical(builder.cachedPlan, behind = true)
    rdds.visit(builder.cachedColumnBuffers, behind = true, partial)
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
