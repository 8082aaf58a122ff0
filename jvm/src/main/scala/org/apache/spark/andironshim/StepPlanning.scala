package org.apache.spark.andironshim

import scala.util.control.NonFatal

import org.apache.spark.SparkContext
import org.apache.spark.rdd.RDD
import org.apache.spark.sql.{ExperimentalMethods, SparkSession, SparkSessionExtensions}
import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.catalyst.expressions.{Attribute, Expression}
import org.apache.spark.sql.catalyst.plans.logical
import org.apache.spark.sql.execution.{SparkPlan, SparkStrategy}
import org.apache.spark.sql.internal.StaticSQLConf
import org.slf4j.LoggerFactory

/** A part of a step: an operator in a plan, or an RDD. */
trait OfStep {
  def stepId: Long

  /** The id of the operator within the step. */
  def siteId: Long
}

/** One physical execution of a step's operator: an RDD. */
trait StepInstance extends OfStep { this: RDD[_] =>

  /** Greater than the numbers of all earlier instances in this driver. */
  def instance: Long

  def asRdd: RDD[_] = this
}

/** The function of a step's operator in a plan. */
trait StepOperator extends OfStep {

  /** The operator's name in the plan. */
  def label: String

  /** Executes the operator over rows; `ends` gives the conversions for each evaluation, by partition number. */
  def execute(rows: RDD[InternalRow], ends: Int => StepEnds[InternalRow, Any, Any, InternalRow]): RDD[InternalRow]
}

/**
 * For `spark.sql.extensions`: plans steps in every session, including sessions that only read data of steps from
 * another session.
 */
final class StepExtensions extends (SparkSessionExtensions => Unit) {
  override def apply(extensions: SparkSessionExtensions): Unit = {
    extensions.injectPlannerStrategy(_ => StepStrategy)
    extensions.injectPostHocResolutionRule(_ => StepOutputs)
    extensions.injectColumnar(_ => StepSides.Columnar)
  }
}

/** Makes sessions use [[StepExec]] in their plans. */
object StepPlanning {
  private val log = LoggerFactory.getLogger("andiron.StepPlanning")
  @volatile private var problem: Option[String] = None

  /** The reason why steps of Datasets are not counted; None if they are. */
  def offBecause: Option[String] = problem

  /** Makes future sessions plan steps with [[StepExec]]. Call it before the first session. */
  def prepare(context: SparkContext): Unit =
    try extend(context, classOf[StepExtensions].getName)
    catch { case e @ (_: LinkageError | NonFatal(_)) => log.warn("sessions plan steps only from their first step on", e) }

  /** Adds a class to the extensions of future sessions. Call it before the first session. */
  private[andironshim] def extend(context: SparkContext, extension: String): Unit = {
    val key = StaticSQLConf.SPARK_SESSION_EXTENSIONS.key
    val all = context.conf.getOption(key).toSeq.flatMap(_.split(',')).map(_.trim).filter(_.nonEmpty)
    if (!all.contains(extension)) context.conf.set(key, (all :+ extension).mkString(",")): Unit
  }

  /** Makes the session, and sessions cloned from it, plan steps with [[StepExec]]. Idempotent. */
  def install(session: SparkSession): Unit =
    try {
      val methods = experimental(session)
      methods.synchronized {
        if (!methods.extraStrategies.contains(StepStrategy)) methods.extraStrategies = methods.extraStrategies :+ StepStrategy
      }
    } catch { case e @ (_: LinkageError | NonFatal(_)) => off(e) }

  /** By reflection: in Spark 4 the method belongs to a subclass of SparkSession. */
  private def experimental(session: SparkSession): ExperimentalMethods =
    session.getClass.getMethod("experimental").invoke(session).asInstanceOf[ExperimentalMethods]

  private[andironshim] def off(error: Throwable): Unit = if (problem.isEmpty) {
    problem = Some(error.toString)
    log.warn("steps of Datasets are off: rows are guarded and computed, but not counted, since this Spark plans differently", error)
  }
}

/**
 * Plans the `mapPartitions` of a step as [[StepExec]]. On any error it leaves the plan to Spark, which executes it
 * uncounted.
 */
private[andironshim] object StepStrategy extends SparkStrategy {
  override def apply(plan: logical.LogicalPlan): Seq[SparkPlan] = {
    GatedWrites.look(plan)
    plan match {
      case logical.SerializeFromObject(serializer, StepMap(step, deserializer, output, child)) =>
        planned(StepRowsExec(step, deserializer, output.dataType, serializer, planLater(child)))
      case StepMap(step, deserializer, output, child) => planned(StepObjectsExec(step, deserializer, output, planLater(child)))
      case _                                          => Nil
    }
  }

  private def planned(step: => SparkPlan): Seq[SparkPlan] =
    try step :: Nil
    catch {
      case e @ (_: LinkageError | NonFatal(_)) =>
        StepPlanning.off(e)
        Nil
    }
}

/**
 * Extracts from a step's `mapPartitions` its operator, the deserializer (None if it reads objects), the output object
 * and the child plan.
 */
private object StepMap {
  def unapply(plan: logical.LogicalPlan): Option[(StepOperator, Option[Expression], Attribute, logical.LogicalPlan)] = plan match {
    case map @ logical.MapPartitions(_, output, child) =>
      MapOfStep.unapply(map).map { step =>
        child match {
          case logical.DeserializeToObject(deserializer, _, rows) => (step, Some(deserializer), output, rows)
          case objects                                            => (step, None, output, objects)
        }
      }
    case _ => None
  }
}
