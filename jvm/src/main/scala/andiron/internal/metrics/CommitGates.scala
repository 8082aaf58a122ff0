package andiron.internal.metrics

import org.apache.spark.andironshim.{GatedWrites, WriteGate, WriteScope}

import andiron.{AndironConf, ErrorCode, Gate, GateException}

/** The gates for one write to `path`. For steps without a gate, the check that not all of their rows were dropped. */
private[andiron] final class CommitGates(application: MetricsApplication, path: String) extends WriteGate {
  private var before: Option[WriteScope] = None
  private lazy val gates: Seq[Gate] =
    if (application.gates.isEmpty) Nil
    else
      scope match {
        // The steps below a checkpoint are known only from events.
        case Some(of) if of.readsCheckpoint => application.gates.on(if (haveArrived) scope else None)
        case known                          => application.gates.on(known)
      }

  override lazy val isOfSteps: Boolean = gates.nonEmpty || application.hasSteps && scope.exists(_.steps.nonEmpty)

  private def scope: Option[WriteScope] = GatedWrites.scope(application.context, application.lineage)

  /** Whether every event that Spark has posted up to now has arrived. */
  private def haveArrived: Boolean = application.barrier(AndironConf.MetricsStopTimeout.in(application.context.getConf)) && application.hasAll

  override def begin(direct: () => Option[String]): Unit = {
    // Read before the job, which may cut off lineages, as localCheckpoint does.
    if (isOfSteps) before = scope
    if (gates.nonEmpty) direct().foreach { why =>
      throw new GateException(ErrorCode.DirectCommitter, s"the write to $path has ${gates.mkString(" and ")}, but $why, so that a gate could not " +
        "hold back its output: use a committer that publishes at the commit of the job, or Andiron.guard instead of the gate",
        gates.head.step.name, null)
    }
  }

  override def commit(): Unit = if (isOfSteps) {
    def seen = scope.map(now => before.fold(now)(now.and))
    val whole = seen match {
      case Some(of) if gates.nonEmpty && of.needsEvents => if (haveArrived) seen else seen.map(_.withoutEvents)
      case known                                        => known
    }
    application.gates.require(gates, whole, path)
    application.unguarded.judged(gates.map(_.step.handle.id).toSet)
    whole.foreach(application.allDropped.atCommit(_, UnguardedActions.isStreaming(application.context.getLocalProperty(_))))
  }
}
