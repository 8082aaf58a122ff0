package andiron.internal.metrics

import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.atomic.AtomicLong

import org.apache.spark.SparkContext
import org.apache.spark.andironshim.{JobReads, Reached}

import andiron.{Gate, GateException}

/** The work under a guard: its jobs, with the step instances that they read. */
private[andiron] final case class GuardRun(jobs: Map[Int, JobReads], hasPlanned: Boolean) {

  /** Whether Spark executed or planned anything for the body. */
  def hasRun: Boolean = hasPlanned || jobs.nonEmpty

  def reached: Seq[Reached] = Reached.merge(jobs.values.flatMap(_.reached))

  /** The stages that wrote the shuffles that were read; None if unknown. */
  def writers: Option[Set[Int]] = if (jobs.values.exists(_.writers.isEmpty)) None else Some(jobs.values.flatMap(_.writers).flatten.toSet)
}

/** The open guards, by number. Jobs carry the numbers as a local property. Any thread. */
private[andiron] final class GuardRuns {
  private val open = new ConcurrentHashMap[Long, GuardRun]

  /**
   * Opens a guard for the calling thread and the threads that it starts from now on. The result's `leave` ends that.
   */
  def enter(context: SparkContext): OpenGuard = {
    val number = GuardRuns.numbers.incrementAndGet()
    open.put(number, GuardRun(Map.empty, hasPlanned = false))
    val before = context.getLocalProperty(TaskScope.Guards)
    context.setLocalProperty(TaskScope.Guards, if (before == null || before.isEmpty) number.toString else s"$before,$number")
    new OpenGuard(number, context, before)
  }

  /** The work under a guard up to now. */
  def of(guard: OpenGuard): GuardRun = open.getOrDefault(guard.number, GuardRun(Map.empty, hasPlanned = false))

  def forget(guard: OpenGuard): Unit = open.remove(guard.number): Unit

  /** Records a job that begins under these guards. */
  def began(job: Int, guards: Array[Long], reads: JobReads): Unit =
    guards.foreach(change(_)(run => run.copy(jobs = run.jobs.updated(job, reads))))

  /** Records a failed job: it may not have read all partitions. */
  def failed(job: Int): Unit = open.forEach { (guard, run) =>
    if (run.jobs.contains(job)) change(guard) { now =>
      val reads = now.jobs(job)
      now.copy(jobs = now.jobs.updated(job, reads.copy(reached = reads.reached.map(_.copy(partial = true)))))
    }
  }

  /** Records that a thread under these guards plans a query. */
  def planned(guards: Array[Long]): Unit = guards.foreach(change(_)(_.copy(hasPlanned = true)))

  private def change(guard: Long)(to: GuardRun => GuardRun): Unit = open.computeIfPresent(guard, (_, run) => to(run)): Unit
}

private[andiron] object GuardRuns {
  private val numbers = new AtomicLong
}

/** An open guard, on the thread that opened it. */
private[andiron] final class OpenGuard(val number: Long, context: SparkContext, before: String) {

  /** Restores the thread's previous guards. */
  def leave(): Unit = context.setLocalProperty(TaskScope.Guards, before)
}

/** A guard around a user's body: create it before the body, call `leave` after it, then `judge`, then `close`. */
private[andiron] final class GuardSession(gates: Seq[Gate]) {
  gates.foreach(_.step.requireAlive())
  private val application = gates.headOption.flatMap(_.step.application)
  private val open = application.map(a => a.guards.enter(a.context))

  /** Ends the guard for the calling thread's later actions. */
  def leave(): Unit = open.foreach(_.leave())

  /** The failure of the first gate that does not pass; None if all pass. */
  def failure: Option[GateException] =
    if (application.isEmpty) gates.headOption.map(gate => GateException.unknown(gate.step, MetricsApplication.whyOff))
    else for (a <- application; guard <- open; failure <- a.gates.guarded(gates, guard)) yield failure

  /** Throws the failure, if there is one. */
  def judge(): Unit = failure.foreach(e => throw e)

  def close(): Unit = for (a <- application; guard <- open) a.guards.forget(guard)
}
