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

/** What belongs to a step: an operator in a plan, or an RDD. */
trait OfStep {
  def stepId: Long

  /** Which of the step's operators. */
  def siteId: Long
}

/** One physical execution of a step's operator: an RDD. */
trait StepInstance extends OfStep { this: RDD[_] =>

  /** Greater than that of any made before in this driver. */
  def instance: Long

  def asRdd: RDD[_] = this
}

/** The function of a step's operator in a plan. */
trait StepOperator extends OfStep {

  /** How the plan calls it. */
  def label: String

  /** One execution of it over rows; `ends` are made for each evaluation, by the number of its partition. */
  def execute(rows: RDD[InternalRow], ends: Int => StepEnds[InternalRow, Any, Any, InternalRow]): RDD[InternalRow]
}

/** `spark.sql.extensions`: plans steps in every session, also in those that only read what another has made of a step. */
final class StepExtensions extends (SparkSessionExtensions => Unit) {
  override def apply(extensions: SparkSessionExtensions): Unit = {
    extensions.injectPlannerStrategy(_ => StepStrategy)
    extensions.injectPostHocResolutionRule(_ => StepOutputs)
    extensions.injectColumnar(_ => StepSides.Columnar)
  }
}

/** Puts [[StepExec]] into the plans of sessions. */
object StepPlanning {
  private val log = LoggerFactory.getLogger("andiron.StepPlanning")
  @volatile private var problem: Option[String] = None

  /** Why the steps of Datasets are not counted; None: they are. */
  def offBecause: Option[String] = problem

  /** Makes sessions to come plan steps with [[StepExec]]. Before the first of them. */
  def prepare(context: SparkContext): Unit =
    try {
      val key = StaticSQLConf.SPARK_SESSION_EXTENSIONS.key
      val all = context.conf.getOption(key).toSeq.flatMap(_.split(',')).map(_.trim).filter(_.nonEmpty)
      val ours = classOf[StepExtensions].getName
      if (!all.contains(ours)) context.conf.set(key, (all :+ ours).mkString(",")): Unit
    } catch { case e @ (_: LinkageError | NonFatal(_)) => log.warn("sessions plan steps from their first step on only", e) }

  /** Makes the session plan steps with [[StepExec]]. Sessions that are cloned from it do too. Idempotent. */
  def install(session: SparkSession): Unit =
    try {
      val methods = experimental(session)
      methods.synchronized {
        if (!methods.extraStrategies.contains(StepStrategy)) methods.extraStrategies = methods.extraStrategies :+ StepStrategy
      }
    } catch { case e @ (_: LinkageError | NonFatal(_)) => off(e) }

  /** By its name: Spark 4 has the method in a subclass of SparkSession. */
  private def experimental(session: SparkSession): ExperimentalMethods =
    session.getClass.getMethod("experimental").invoke(session).asInstanceOf[ExperimentalMethods]

  private[andironshim] def off(error: Throwable): Unit = if (problem.isEmpty) {
    problem = Some(error.toString)
    log.warn("steps of Datasets are off: rows are guarded and computed, but not counted, since this Spark plans differently", error)
  }
}

/** Plans the `mapPartitions` of a step as [[StepExec]]. Anything that goes wrong leaves it to Spark, which executes it uncounted. */
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

/** The `mapPartitions` of a step: its operator, what makes objects of rows if it does not read objects, the object that it makes, and what it reads. */
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
