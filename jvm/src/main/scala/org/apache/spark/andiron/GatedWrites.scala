package org.apache.spark.andiron

import scala.util.control.NonFatal

import org.apache.spark.SparkContext
import org.apache.spark.rdd.RDD
import org.apache.spark.sql.SparkSession
import org.apache.spark.sql.catalyst.plans.logical
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan
import org.apache.spark.sql.execution.{ExternalRDD, LogicalRDD, SQLExecution}
import org.apache.spark.sql.internal.SQLConf
import org.slf4j.LoggerFactory

/** Puts the gate before the commit of DataFrame writes, and finds the steps that a write is made of. */
object GatedWrites {
  private val log = LoggerFactory.getLogger("andiron.GatedWrites")
  private val Key = "spark.sql.sources.commitProtocolClass"

  /** The commit protocol with the gate before it. */
  private val Ours = "andiron.internal.GateCommitProtocol"

  /** The setting that keeps which commit protocol the user has configured. */
  private val DelegateKey = "spark.andiron.internal.commitProtocolClass"
  private val never = () => false
  @volatile private var isNeeded: () => Boolean = never

  /** From now on, as long as `needed` says so, in sessions to come and in the active one. */
  def install(context: SparkContext, needed: () => Boolean): Unit =
    try {
      isNeeded = needed
      wrap(context.conf.get(Key, ""), context.conf.set(_, _): Unit)
      SparkSession.getActiveSession.orElse(SparkSession.getDefaultSession).foreach { session =>
        StepPlanning.install(session)
        wrap(session.conf.get(Key), session.conf.set(_, _))
      }
    } catch { case e @ (_: LinkageError | NonFatal(_)) => log.warn("gates do not stand before the commit of writes: use Andiron.guard", e) }

  /** The application of `needed` has ended. */
  def leave(needed: () => Boolean): Unit = if (isNeeded eq needed) isNeeded = never

  /**
   * Wraps the commit protocol of the session that makes a plan, if that has not been done since it was set. A plan must not fail for it:
   * what it is to be written with is asked for later, and is not there then.
   */
  private[andiron] def look(): Unit =
    if (isNeeded())
      try {
        val conf = SQLConf.get
        wrap(conf.fileCommitProtocolClass, conf.setConfString)
      } catch { case e @ (_: LinkageError | NonFatal(_)) => log.warn("a session's writes are not judged: use Andiron.guard", e) }

  private def wrap(configured: String, set: (String, String) => Unit): Unit = if (configured != Ours) {
    set(DelegateKey, configured)
    set(Key, Ours)
  }

  /** The commit protocol that the user has configured. */
  def delegateClass: String = {
    val configured = SQLConf.get.getConfString(DelegateKey, "")
    if (configured.nonEmpty && configured != Ours) configured else SQLConf.FILE_COMMIT_PROTOCOL_CLASS.defaultValueString
  }

  /** The ids of the steps that the calling thread's write is made of, each with those of its operators; None if that cannot be told. */
  def steps(context: SparkContext): Option[Map[Long, Set[Long]]] =
    try
      Option(context.getLocalProperty(SQLExecution.EXECUTION_ID_KEY)).flatMap(id => Option(SQLExecution.getQueryExecution(id.toLong))).map { execution =>
        var found = Set.empty[(Long, Long)]
        new PlanWalk(of => found += of.stepId -> of.siteId).visit(execution.analyzed)
        found.groupBy(_._1).map { case (step, parts) => step -> parts.map(_._2) }
      }
    catch {
      case e @ (_: LinkageError | NonFatal(_)) =>
        log.warn("the steps of a write cannot be told: all gates judge it", e)
        None
    }

  private final class PlanWalk(found: OfStep => Unit) {
    private val seen = java.util.Collections.newSetFromMap(new java.util.IdentityHashMap[LogicalPlan, java.lang.Boolean])

    def visit(plan: LogicalPlan): Unit = if (seen.add(plan)) {
      plan match {
        case logical.MapPartitions(f, _, _) => note(f)
        case leaf: LogicalRDD               => visit(leaf.rdd)
        case leaf: ExternalRDD[_]           => visit(leaf.rdd)
        case _                              =>
      }
      plan.children.foreach(visit)
      plan.innerChildren.foreach { case inner: LogicalPlan => visit(inner); case _ => }
      plan.subqueries.foreach(visit)
    }

    private def visit(rdd: RDD[_]): Unit = {
      val done = new java.util.HashSet[Integer]
      var open = List[RDD[_]](rdd)
      while (open.nonEmpty) {
        val next = open.head
        open = open.tail
        if (done.add(next.id)) {
          note(next)
          open = next.dependencies.map(_.rdd: RDD[_]).toList ::: open
        }
      }
    }

    private def note(what: Any): Unit = what match {
      case step: OfStep => found(step)
      case _            =>
    }
  }
}
