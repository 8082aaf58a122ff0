package andiron.internal.metrics

import org.apache.spark.SparkContext
import org.apache.spark.andironshim.TableInternals
import org.apache.spark.sql.Dataset

/**
 * The gates for one publish of a table: those of the steps in the plan of `rows`, and of the steps that the jobs of the
 * calling thread read, from here to `judge`. Call `close` at the end.
 */
private[andiron] final class PublishGate(context: SparkContext, rows: Dataset[_]) {
  private val application = MetricsApplication.of(context).filterNot(_.gates.isEmpty)
  private val declared = application.fold(Set.empty[Long])(a => TableInternals.steps(rows, a.lineage))
  private val open = application.map(a => (a, a.guards.enter(context)))

  /** Throws the failure of the first gate that does not pass; a gate that cannot be judged does not pass. */
  def judge(): Unit = open.foreach { case (application, guard) =>
    guard.leave()
    application.gates.published(declared, guard).foreach(e => throw e)
  }

  def close(): Unit = open.foreach { case (application, guard) =>
    guard.leave()
    application.guards.forget(guard)
  }
}
