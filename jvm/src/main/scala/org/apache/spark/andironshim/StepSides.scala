package org.apache.spark.andironshim

import scala.util.control.NonFatal

import org.apache.spark.sql.catalyst.rules.Rule
import org.apache.spark.sql.execution.{ColumnarRule, InputAdapter, SparkPlan}
import org.apache.spark.sql.execution.adaptive.BroadcastQueryStageExec
import org.apache.spark.sql.execution.exchange.{BroadcastExchangeLike, Exchange, ReusedExchangeExec}
import org.slf4j.LoggerFactory

/** What operators read from aside: broadcasts and sub-queries. */
private[andironshim] object StepSides {
  private val logger = LoggerFactory.getLogger("andiron.StepSides")

  /** Puts [[StepSidesExec]] into plans; the last rule but for the generation of code, in adaptive execution once for each stage. */
  object Columnar extends ColumnarRule {
    override def postColumnarTransitions: Rule[SparkPlan] = Marks
  }

  private object Marks extends Rule[SparkPlan] {
    override def apply(plan: SparkPlan): SparkPlan =
      if (!GatedWrites.isNeeded) plan
      else
        try mark(plan)._1
        catch {
          case e @ (_: LinkageError | NonFatal(_)) =>
            logger.warn("steps in broadcasts and sub-queries below Dataset.rdd are not judged: use Andiron.guard", e)
            plan
        }
  }

  /** The plan with its marks, and whether one is still to come: rows are marked, and columns are not. */
  private def mark(plan: SparkPlan): (SparkPlan, Boolean) = plan match {
    case marked: StepSidesExec => (marked, false)
    case _                     =>
      val children = plan.children.map(mark)
      val own = if (children.forall { case (child, _) => plan.children.exists(_ eq child) }) plan else plan.withNewChildren(children.map(_._1))
      val isOpen = children.exists(_._2) || of(plan).exists(hasStep)
      if (isOpen && !plan.supportsColumnar && !plan.isInstanceOf[Exchange]) (StepSidesExec(own), false) else (own, isOpen)
  }

  /** The plans that an operator reads from aside. */
  private def of(plan: SparkPlan): Seq[SparkPlan] = plan.children.filter(isBroadcast) ++ plan.subqueries

  private def isBroadcast(plan: SparkPlan): Boolean = plan match {
    case InputAdapter(child)        => isBroadcast(child)
    case reused: ReusedExchangeExec => isBroadcast(reused.child)
    case _                          => plan.isInstanceOf[BroadcastExchangeLike] || plan.isInstanceOf[BroadcastQueryStageExec]
  }

  private def hasStep(plan: SparkPlan): Boolean = WriteWalk.aside(Seq(plan), GatedWrites.lineage).hasStep

  /** The sides of a plan that has been executed, those below another mark left out; None if no step is there. */
  def executed(plan: SparkPlan): Option[Sides] = {
    val walk = WriteWalk.aside(all(plan), GatedWrites.lineage)
    if (walk.hasStep) Some(Sides(walk.rdds.roots, walk.isUnsure)) else None
  }

  private def all(plan: SparkPlan): Seq[SparkPlan] = plan match {
    case _: StepSidesExec => Nil
    case _                => of(plan) ++ plan.children.filterNot(isBroadcast).flatMap(all)
  }
}
