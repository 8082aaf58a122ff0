package andiron.internal.metrics

import org.apache.spark.{SparkContext, TaskContext}
import org.apache.spark.andironshim.SparkNames

/** The scope of a task: its SQL execution, or [[TaskScope.NoExecution]], and the guards around its job. */
private[andiron] final case class TaskScope(execution: Long, guards: Array[Long])

private[andiron] object TaskScope {

  /** Stands for no SQL execution. */
  val NoExecution: Long = -1L

  /** The local property with the numbers of the guards around a job. */
  val Guards = "spark.andiron.internal.guards"

  private val MostGuards = 64

  def of(context: TaskContext): TaskScope = TaskScope(execution(context.getLocalProperty(SparkNames.ExecutionId)), guards(context.getLocalProperty(Guards)))

  /** The guards around the calling thread's actions. */
  def guardsOf(context: SparkContext): Array[Long] = guards(context.getLocalProperty(Guards))

  def guards(property: String): Array[Long] =
    if (property == null || property.isEmpty) None else property.split(',').take(MostGuards).map(_.toLong)

  private val None = new Array[Long](0)

  private def execution(property: String): Long = if (property == null) NoExecution else property.toLong
}
