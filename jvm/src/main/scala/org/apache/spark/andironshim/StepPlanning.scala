package org.apache.spark.andironshim

import scala.util.control.NonFatal

import org.apache.spark.SparkContext
import org.apache.spark.rdd.RDD
import org.apache.spark.sql.{ExperimentalMethods, SparkSession, SparkSessionExtensions}
import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.catalyst.expressions.{Attribute, Expression}
import org.apache.spark.sql.catalyst.expressions.codegen.GenerateSafeProjection
import org.apache.spark.sql.catalyst.plans.logical
import org.apache.spark.sql.catalyst.plans.physical.Partitioning
import org.apache.spark.sql.execution.{DeserializeToObjectExec, ObjectConsumerExec, ObjectOperator, ObjectProducerExec, SparkPlan, SparkStrategy}
import org.apache.spark.sql.internal.StaticSQLConf
import org.apache.spark.sql.types.DataType
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

  /** One execution of it over rows; `read` and `wrap` are made for each evaluation of a partition, and give the object of a row and the row of an object. */
  def execute(rows: RDD[InternalRow], read: Int => InternalRow => Any, wrap: () => Any => InternalRow): RDD[InternalRow]
}

/** `spark.sql.extensions`: plans steps in every session, also in those that only read what another has made of a step. */
final class StepExtensions extends (SparkSessionExtensions => Unit) {
  override def apply(extensions: SparkSessionExtensions): Unit = {
    extensions.injectPlannerStrategy(_ => StepStrategy)
    extensions.injectPostHocResolutionRule(_ => StepOutputs)
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
      case logical.MapPartitions(f, output, child) =>
        (f: Any) match {
          case step: StepOperator => planned(step, output, child)
          case _                  => Nil
        }
      case _ => Nil
    }
  }

  private def planned(step: StepOperator, output: Attribute, child: logical.LogicalPlan): Seq[SparkPlan] =
    try StepExec(step, output, planLater(child)) :: Nil
    catch {
      case e @ (_: LinkageError | NonFatal(_)) =>
        StepPlanning.off(e)
        Nil
    }
}

/** A step's operator in a physical plan. Each execution is an instance of its own, with the partitions that it has then. */
case class StepExec(step: StepOperator, outputObjAttr: Attribute, child: SparkPlan) extends ObjectConsumerExec with ObjectProducerExec {

  override def nodeName: String = s"AndironStep ${step.label}"

  override def outputPartitioning: Partitioning = child.outputPartitioning

  // Spark makes an object of a row in an operator of its own: done here, a row passes one iterator less.
  override protected def doExecute(): RDD[InternalRow] = {
    val wrap = StepExec.wrap(outputObjectType)
    val rows = child match {
      case DeserializeToObjectExec(deserializer, _, rows) => step.execute(rows.execute(), StepExec.read(deserializer, rows.output), wrap)
      case objects                                        => step.execute(objects.execute(), StepExec.unwrap(objects.output.head.dataType), wrap)
    }
    rows match {
      case instance: StepInstance => made.add(instance)
      case _                      =>
    }
    rows
  }

  @transient private lazy val made = new java.util.concurrent.ConcurrentLinkedQueue[StepInstance]

  /** Its executions, in their order. */
  private[andironshim] def instances: Seq[StepInstance] = made.toArray(Array.empty[StepInstance]).toSeq

  override protected def withNewChildInternal(newChild: SparkPlan): StepExec = copy(child = newChild)
}

object StepExec {
  private def unwrap(kind: DataType): Int => InternalRow => Any = _ => row => row.get(0, kind)

  private def read(deserializer: Expression, rows: Seq[Attribute]): Int => InternalRow => Any = { partition =>
    val projection = GenerateSafeProjection.generate(deserializer :: Nil, rows)
    projection.initialize(partition)
    val kind = deserializer.dataType
    row => projection(row).get(0, kind)
  }

  private def wrap(kind: DataType): () => Any => InternalRow = () => ObjectOperator.wrapObjectToRow(kind)
}
