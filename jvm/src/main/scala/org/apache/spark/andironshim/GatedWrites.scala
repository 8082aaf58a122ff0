package org.apache.spark.andironshim

import scala.util.control.NonFatal

import org.apache.spark.SparkContext
import org.apache.spark.sql.SparkSession
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan
import org.apache.spark.sql.execution.SQLExecution
import org.apache.spark.sql.internal.SQLConf
import org.slf4j.LoggerFactory

/** An application's checks of writes. Any thread. */
trait WriteHook {
  def isNeeded: Boolean

  /** Called when the calling thread plans a query. */
  def planned(): Unit

  /** Throws if a write of these steps must not begin. */
  def refuse(write: WriteAction, steps: Set[Long]): Unit

  /** Throws if the table that these steps' rows replace must not be dropped before the write. */
  def refuseDrop(steps: Set[Long]): Unit

  /** The lineage that was recorded from jobs, for RDDs cut off by checkpoints. */
  def lineage: JobLineage

  /** The gate for the write to `path` that the calling thread begins. */
  def gate(path: String): WriteGate
}

/** Installs the gate ahead of the commit of DataFrame writes. */
object GatedWrites {
  private val log = LoggerFactory.getLogger("andiron.GatedWrites")
  private val Key = "spark.sql.sources.commitProtocolClass"

  /** The commit protocol that applies the gate. */
  private val Ours = classOf[GateCommitProtocol].getName

  /** The setting that stores the user's configured commit protocol. */
  private val DelegateKey = "spark.andiron.internal.commitProtocolClass"

  // It stays after the end of its application, which is then needed no more: a write that commits while Spark stops is
  // judged too.
  @volatile private var hook: Option[WriteHook] = None

  /** Installs the gate for future sessions and the active one; it applies as long as `by` needs it. */
  def install(context: SparkContext, by: WriteHook): Unit =
    try {
      hook = Some(by)
      wrap(context.conf.get(Key, ""), context.conf.set(_, _): Unit)
      SparkSession.getActiveSession.orElse(SparkSession.getDefaultSession).foreach { session =>
        StepPlanning.install(session)
        wrap(session.conf.get(Key), session.conf.set(_, _))
      }
    } catch { case e @ (_: LinkageError | NonFatal(_)) => log.warn("gates do not apply to the commit of writes: use Andiron.guard", e) }

  /**
   * Wraps the commit protocol of the session that plans, unless it has been wrapped since it was last set. An error
   * must not fail the plan: it is logged, and the session's writes are then not judged.
   */
  private[andironshim] def look(plan: LogicalPlan): Unit = hook.filter(_.isNeeded).foreach { by =>
      by.planned()
      try {
        val conf = SQLConf.get
        wrap(conf.fileCommitProtocolClass, conf.setConfString)
      } catch { case e @ (_: LinkageError | NonFatal(_)) => log.warn("a session's writes are not judged: use Andiron.guard", e) }
      for (write <- WriteActions.ofPlan(plan) if !write.commits) by.refuse(write, stepsOf(plan, by.lineage))
  }

  /** The gate for a write to `path`; None on executors and without a running Andiron application. */
  private[andironshim] def gate(path: String): Option[WriteGate] = hook.map(_.gate(path))

  private[andironshim] def isNeeded: Boolean = hook.exists(_.isNeeded)

  /** The lineage that was recorded from jobs. */
  private[andironshim] def lineage: JobLineage = hook.fold(new JobLineage)(_.lineage)

  /** Called when the calling thread is about to drop a table that `plan`, an analysed one, replaces. */
  private[andironshim] def overwrites(plan: LogicalPlan): Unit =
    hook.filter(_.isNeeded).foreach(by => by.refuseDrop(stepsOf(plan, by.lineage)))

  private def stepsOf(plan: LogicalPlan, lineage: JobLineage): Set[Long] =
    try WriteWalk.stepsOf(plan, lineage)
    catch {
      case e @ (_: LinkageError | NonFatal(_)) =>
        log.warn("the steps of a write cannot be determined", e)
        Set.empty
    }

  private def wrap(configured: String, set: (String, String) => Unit): Unit = if (configured != Ours) {
    set(DelegateKey, configured)
    set(Key, Ours)
  }

  /** The user's configured commit protocol. */
  def delegateClass: String = {
    val configured = SQLConf.get.getConfString(DelegateKey, "")
    if (configured.nonEmpty && configured != Ours) configured else SQLConf.FILE_COMMIT_PROTOCOL_CLASS.defaultValueString
  }

  /** The sources of the calling thread's write, as far as it has been executed; None if they cannot be determined. */
  def scope(context: SparkContext, lineage: JobLineage): Option[WriteScope] =
    try
      Option(context.getLocalProperty(SQLExecution.EXECUTION_ID_KEY)).map(_.toLong).flatMap { id =>
        val root = Option(context.getLocalProperty(SparkNames.RootExecutionId)).map(_.toLong)
        Option(SQLExecution.getQueryExecution(id)).map(WriteWalk.of(id, root, _, lineage))
      }
    catch {
      case e @ (_: LinkageError | NonFatal(_)) =>
        log.warn("the steps of a write cannot be determined: all gates judge it as unknown", e)
        None
    }
}
