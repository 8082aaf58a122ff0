package andiron.internal.metrics

import java.util.Properties

import scala.collection.mutable

import com.fasterxml.jackson.databind.node.ObjectNode
import org.apache.spark.andironshim.{JobReads, MetricsInternals, Reached, SparkNames, WriteAction, WriteActions}
import org.apache.spark.scheduler.{JobSucceeded, SparkListenerJobEnd, SparkListenerJobStart}
import org.apache.spark.andironshim.PrivateTypes.{ExecutionEnd, ExecutionStart}

import andiron.{AndironConf, ErrorCode, GateException}
import andiron.internal.util.Json

/**
 * Finds actions that publish rows of gated steps without a gate's verdict, from Spark's events: rule R7 of
 * docs/internals/gates.md. Any thread.
 */
private[andiron] final class UnguardedActions(application: MetricsApplication) {
  private final class Execution {
    var write: Option[WriteAction] = None
    var isPartial = false
    var reached: Seq[Reached] = Nil
    var judged = Set.empty[Long]
    var isStreaming = false

    /** Inputs of its own jobs, without those of nested executions. */
    var direct: Seq[Reached] = Nil
  }

  private final class Job(val write: WriteAction, val site: String, val reached: Seq[Reached], val isStreaming: Boolean)

  private val executions = mutable.LinkedHashMap.empty[Long, Execution]
  private val jobs = mutable.LinkedHashMap.empty[Int, Job]
  private val partial = mutable.LinkedHashMap.empty[Int, Boolean]
  private lazy val refuses = AndironConf.GateUnguarded.in(application.context.getConf) == "fail"

  /** Whether all jobs of a stage read only a part of its rows. */
  def isPartial(stage: Int): Boolean = synchronized(partial.getOrElse(stage, false))

  def executionStart(event: ExecutionStart): Unit = synchronized {
    val root = of(event.rootExecutionId.getOrElse(event.executionId))
    val write = WriteActions.ofPlan(event.sparkPlanInfo)
    // For nested commands the outer one counts, unless only the inner one has a commit protocol.
    if (root.write.isEmpty || write.exists(_.commits)) root.write = write.orElse(root.write)
    if (event.rootExecutionId.forall(_ == event.executionId)) root.isPartial = WriteActions.isPartial(event.sparkPlanInfo)
  }

  def jobStart(event: SparkListenerJobStart, reads: JobReads, isGuarded: Boolean, site: String): Unit = {
    val doomed = synchronized {
      val root = UnguardedActions.rootOf(event.properties)
      val execution = root.map(of)
      val isPart = WriteActions.isPartial(event) || execution.exists(_.isPartial)
      event.stageInfos.foreach(stage => partial.update(stage.stageId, isPart && partial.getOrElse(stage.stageId, true)))
      UnguardedActions.bound(partial)
      if (isGuarded || reads.reached.isEmpty) None
      else {
        val isStreaming = UnguardedActions.isStreaming(event.properties)
        execution.foreach { e =>
          e.reached = Reached.merge(e.reached ++ reads.reached)
          e.isStreaming ||= isStreaming
          if (isStreaming && UnguardedActions.isRoot(event.properties)) e.direct = Reached.merge(e.direct ++ reads.reached)
        }
        val ofExecution = execution.flatMap(_.write)
        if (ofExecution.isEmpty) WriteActions.ofJob(event).foreach { write =>
          jobs(event.jobId) = new Job(write, site, reads.reached, isStreaming)
          UnguardedActions.bound(jobs)
        }
        ofExecution.filterNot(_.commits).orElse(jobs.get(event.jobId).map(_.write))
      }
    }
    if (refuses) doomed.foreach(write => refused(write, reads.reached.map(_.run.step).toSet).foreach { message =>
      MetricsInternals.cancelJob(application.context, event.jobId, GateKeeper.Reason + message)
    })
  }

  def jobEnd(event: SparkListenerJobEnd): Unit = synchronized(jobs.remove(event.jobId)).foreach { job =>
    if (event.jobResult == JobSucceeded) record(s"${job.write.name}, ${job.site}", job.reached, Set.empty, job.isStreaming)
  }

  def executionEnd(event: ExecutionEnd): Unit = synchronized(executions.remove(event.executionId)).foreach { execution =>
    if (event.errorMessage.forall(_.isEmpty) && execution.reached.nonEmpty) execution.write match {
      case Some(write)                          => record(write.name, execution.reached, execution.judged, execution.isStreaming)
      // No command writes a stream's sink.
      case None if execution.direct.nonEmpty    => record("the sink of a streaming query", execution.direct, execution.judged, isStreaming = true)
      case None                                 =>
    }
  }

  /** Records that the gates of these steps have judged the write that the calling thread commits. */
  def judged(steps: Set[Long]): Unit = UnguardedActions.rootOf(application.context).foreach { root =>
    synchronized(of(root).judged ++= steps)
  }

  /** Throws if settings reject a write that no gate would judge. Called by the planning thread. */
  def refuse(write: WriteAction, steps: Set[Long]): Unit =
    if (refuses && !write.commits && TaskScope.guardsOf(application.context).isEmpty)
      refused(write, steps).foreach(message => throw new GateException(ErrorCode.Unguarded, message, "", null))

  /**
   * Throws if a table would be dropped before a gate on these steps has judged. Called by the thread that is about to
   * drop it.
   */
  def refuseDrop(steps: Set[Long]): Unit = if (TaskScope.guardsOf(application.context).isEmpty) {
    val gated = application.gates.namesOf(steps)
    if (gated.nonEmpty)
      throw new GateException(ErrorCode.Unguarded,
        s"saveAsTable of step '${gated.min}' is refused: with mode 'overwrite' Spark drops the table before it asks a gate. Use insertInto with mode " +
          "'overwrite', or another table's name; within Andiron.guard the table is dropped, whatever the gate says", gated.min, null)
  }

  private def refused(write: WriteAction, steps: Set[Long]): Option[String] = {
    val gated = application.gates.namesOf(steps)
    if (gated.isEmpty) None
    else
      Some(s"${write.name} of step '${gated.min}' is refused: its gate would not judge it, and ${AndironConf.GateUnguarded.key} is fail: " +
        "wrap the action in Andiron.guard")
  }

  private def record(action: String, reached: Seq[Reached], judged: Set[Long], isStreaming: Boolean): Unit = if (!application.gates.isEmpty) {
    val question = Json.node().put("ask", "bypassed").put("action", action).put("streaming", isStreaming)
    question.set[ObjectNode]("reached", ReachedJson(reached))
    question.set[ObjectNode]("judged", Json.numbers(judged))
    application.ask(question): Unit
  }

  private def of(root: Long): Execution = {
    val found = executions.getOrElseUpdate(root, new Execution)
    UnguardedActions.bound(executions)
    found
  }
}

private[andiron] object UnguardedActions {
  private val Most = 10000

  /** Whether a job belongs to a streaming query. */
  def isStreaming(properties: Properties): Boolean = properties != null && properties.getProperty(SparkNames.StreamingQueryId) != null

  def isStreaming(property: String => String): Boolean = property(SparkNames.StreamingQueryId) != null

  private def isRoot(properties: Properties): Boolean =
    Option(properties.getProperty(SparkNames.RootExecutionId)).forall(_ == properties.getProperty(SparkNames.ExecutionId))

  private def rootOf(properties: Properties): Option[Long] =
    Option(properties).flatMap(p => Option(p.getProperty(SparkNames.RootExecutionId)).orElse(Option(p.getProperty(SparkNames.ExecutionId)))).map(_.toLong)

  private def rootOf(context: org.apache.spark.SparkContext): Option[Long] =
    Option(context.getLocalProperty(SparkNames.RootExecutionId)).orElse(Option(context.getLocalProperty(SparkNames.ExecutionId))).map(_.toLong)

  private def bound(map: mutable.LinkedHashMap[_, _]): Unit = while (map.size > Most) drop(map)

  private def drop[K](map: mutable.LinkedHashMap[K, _]): Unit = map.remove(map.head._1): Unit
}
