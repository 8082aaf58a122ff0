package org.apache.spark.andironshim

import scala.util.control.NonFatal

import org.apache.spark.rdd.RDD
import org.apache.spark.sql.catalyst.rules.Rule
import org.apache.spark.sql.execution.{ColumnarRule, InputAdapter, SparkPlan}
import org.apache.spark.sql.execution.adaptive.{AdaptiveSparkPlanExec, BroadcastQueryStageExec}
import org.apache.spark.sql.execution.exchange.{BroadcastExchangeLike, Exchange, ReusedExchangeExec}
import org.slf4j.LoggerFactory

/** Finds the side inputs of operators: broadcasts and sub-queries. */
private[andironshim] object StepSides {
  private val Sql = "org.apache.spark.sql."
  private val walker = StackWalker.getInstance()
  private val logger = LoggerFactory.getLogger("andiron.StepSides")

  /**
   * Puts [[StepSidesExec]] into plans. The last rule before code generation; adaptive execution applies it once per
   * stage.
   */
  object Columnar extends ColumnarRule {
    override def postColumnarTransitions: Rule[SparkPlan] = Marks
  }

  private object Marks extends Rule[SparkPlan] {
    override def apply(plan: SparkPlan): SparkPlan =
      if (!GatedWrites.isNeeded) plan
      else
        try {
          if (plan.isInstanceOf[AdaptiveSparkPlanExec]) {
            if (isOfCache) StepRuns.cached(WriteWalk.aside(Seq(plan), GatedWrites.lineage).operatorSites)
            if (!isInAdaptive) StepRuns.beginQuery(leaves(plan))
          }
          val marked = mark(plan)._1
          val removed = if (plan.isInstanceOf[Exchange] || plan.supportsColumnar) Nil else removedFrom(plan)
          if (removed.isEmpty) marked else StepSidesExec(removed, marked)
        } catch {
          case e @ (_: LinkageError | NonFatal(_)) =>
            logger.warn("steps in broadcasts and sub-queries below Dataset.rdd are not judged: use Andiron.guard", e)
            plan
        }
  }

  /**
   * The marked plan, and whether its mark is still due: only row-based operators can be marked, columnar ones cannot.
   */
  private def mark(plan: SparkPlan): (SparkPlan, Boolean) = plan match {
    case marked: StepSidesExec => (marked, false)
    case _                     =>
      val children = plan.children.map(mark)
      val own = if (children.forall { case (child, _) => plan.children.exists(_ eq child) }) plan else plan.withNewChildren(children.map(_._1))
      val isOpen = children.exists(_._2) || of(plan).exists(hasStep)
      if (isOpen && !plan.supportsColumnar && !plan.isInstanceOf[Exchange]) (StepSidesExec(Nil, own), false) else (own, isOpen)
  }

  /** The side inputs of an operator, as plans. */
  private def of(plan: SparkPlan): Seq[SparkPlan] = plan.children.filter(isBroadcast) ++ plan.subqueries

  private def isBroadcast(plan: SparkPlan): Boolean = plan match {
    case InputAdapter(child)        => isBroadcast(child)
    case reused: ReusedExchangeExec => isBroadcast(reused.child)
    case _                          => plan.isInstanceOf[BroadcastExchangeLike] || plan.isInstanceOf[BroadcastQueryStageExec]
  }

  private def hasStep(plan: SparkPlan): Boolean = WriteWalk.aside(Seq(plan), GatedWrites.lineage).hasStep

  /** Whether adaptive execution is planning, for one of its stages or for the last one. */
  private def isInAdaptive: Boolean = calledBy(_.getClassName.startsWith(classOf[AdaptiveSparkPlanExec].getName))

  /** Whether planning produces an RDD whose lineage is the plan's only remainder: for `Dataset.rdd` or a checkpoint. */
  private def isOfRdd: Boolean = calledBy { frame =>
    val (name, method) = (frame.getClassName, frame.getMethodName)
    name.startsWith(Sql) && (name.contains("QueryExecution") && method.contains("oRdd") || name.contains("Dataset") && method.contains("heckpoint"))
  }

  /** Whether the plan is that of a cache that is being created or filled. */
  private def isOfCache: Boolean = calledBy { frame =>
    val name = frame.getClassName
    name.startsWith(Sql) && (name.contains("CacheManager") || name.contains("CachedRDDBuilder"))
  }

  private def calledBy(is: StackWalker.StackFrame => Boolean): Boolean =
    walker.walk[java.lang.Boolean](frames => frames.anyMatch(is(_)))

  /** The RDDs with steps that a plan reads before its execution: of persisted plans, and the user's RDDs. */
  private def leaves(plan: SparkPlan): Seq[RDD[_]] = WriteWalk.aside(Seq(plan), GatedWrites.lineage).rdds.roots.filter(RddWalk.hasStep(_, GatedWrites.lineage))

  /**
   * The instances and RDDs of the query that its last stage does not read. A cache may be filled in the midst of
   * another query.
   */
  private def removedFrom(last: SparkPlan): Seq[RDD[_]] = {
    val (made, leaves) = (StepRuns.madeForQuery, StepRuns.leavesOfQuery)
    if (made.isEmpty && leaves.isEmpty || !isInAdaptive) Nil
    else {
      lazy val walk = WriteWalk.aside(Seq(last), GatedWrites.lineage)
      if (isOfCache) made.filter(rdd => StepRuns.isCached(rdd.siteId) && !walk.has(rdd))
      else if (isOfRdd) made.filterNot(walk.has(_)) ++ leaves.filterNot(rdd => walk.rdds.roots.exists(_ eq rdd))
      else Nil
    }
  }

  /** The sides of an executed plan, except those below another mark. */
  def executed(plan: SparkPlan, removed: Seq[RDD[_]]): Sides = {
    val walk = WriteWalk.aside(all(plan), GatedWrites.lineage)
    val (made, read) = removed.partition(_.isInstanceOf[StepInstance])
    val aside = if (walk.hasStep) walk.rdds.roots else Nil
    Sides(aside ++ read, made.flatMap(Reached.removed(_, behind = true)) ++ walk.reachedInside, walk.hasStep && walk.isUnsure)
  }

  private def all(plan: SparkPlan): Seq[SparkPlan] = plan match {
    case _: StepSidesExec => Nil
    case _                => of(plan) ++ plan.children.filterNot(isBroadcast).flatMap(all)
  }
}
