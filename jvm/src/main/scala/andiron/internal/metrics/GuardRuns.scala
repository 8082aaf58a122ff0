package andiron.internal.metrics

import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.atomic.AtomicLong

import org.apache.spark.SparkContext
import org.apache.spark.andironshim.{JobReads, Reached}

import andiron.{Gate, GateException}

/** What ran under a guard: jobs that were told of, and the instances of steps that they read. */
private[andiron] final case class GuardRun(jobs: Map[Int, JobReads], hasPlanned: Boolean) {

  /** Whether Spark did anything for the body. */
  def hasRun: Boolean = hasPlanned || jobs.nonEmpty

  def reached: Seq[Reached] = Reached.merge(jobs.values.flatMap(_.reached))

  /** The stages that wrote the shuffles which are read; None where that is not known. */
  def writers: Option[Set[Int]] = if (jobs.values.exists(_.writers.isEmpty)) None else Some(jobs.values.flatMap(_.writers).flatten.toSet)
}

/** The guards that are open, by their numbers, which jobs carry as a local property. Any thread. */
private[andiron] final class GuardRuns {
  private val open = new ConcurrentHashMap[Long, GuardRun]

  /** Opens a guard around what the calling thread, and those that it starts from now on, do. `leave` it by what this returns. */
  def enter(context: SparkContext): OpenGuard = {
    val number = GuardRuns.numbers.incrementAndGet()
    open.put(number, GuardRun(Map.empty, hasPlanned = false))
    val before = context.getLocalProperty(TaskScope.Guards)
    context.setLocalProperty(TaskScope.Guards, if (before == null || before.isEmpty) number.toString else s"$before,$number")
    new OpenGuard(number, context, before)
  }

  /** What has run under a guard. */
  def of(guard: OpenGuard): GuardRun = open.getOrDefault(guard.number, GuardRun(Map.empty, hasPlanned = false))

  def forget(guard: OpenGuard): Unit = open.remove(guard.number): Unit

  /** A job begins. */
  def began(job: Int, guards: Array[Long], reads: JobReads): Unit =
    guards.foreach(change(_)(run => run.copy(jobs = run.jobs.updated(job, reads))))

  /** A job has failed: partitions that it has not read hold no rows of it. */
  def failed(job: Int): Unit = open.forEach { (guard, run) =>
    if (run.jobs.contains(job)) change(guard) { now =>
      val reads = now.jobs(job)
      now.copy(jobs = now.jobs.updated(job, reads.copy(reached = reads.reached.map(_.copy(partial = true)))))
    }
  }

  /** A query is planned by a thread under these guards. */
  def planned(guards: Array[Long]): Unit = guards.foreach(change(_)(_.copy(hasPlanned = true)))

  private def change(guard: Long)(to: GuardRun => GuardRun): Unit = open.computeIfPresent(guard, (_, run) => to(run)): Unit
}

private[andiron] object GuardRuns {
  private val numbers = new AtomicLong
}

/** A guard that is open, on the thread that has opened it. */
private[andiron] final class OpenGuard(val number: Long, context: SparkContext, before: String) {

  /** Back to what the thread did before. */
  def leave(): Unit = context.setLocalProperty(TaskScope.Guards, before)
}

/** A guard around a body of the user's: made before it, `leave` after it, then `judge`, then `close`. */
private[andiron] final class GuardSession(gates: Seq[Gate]) {
  gates.foreach(_.step.requireAlive())
  private val application = gates.headOption.flatMap(_.step.application)
  private val open = application.map(a => a.guards.enter(a.context))

  /** What the calling thread does next is not under the guard. */
  def leave(): Unit = open.foreach(_.leave())

  /** What the first gate that does not pass has to say, if any does. */
  def failure: Option[GateException] =
    if (application.isEmpty) gates.headOption.map(gate => GateException.unknown(gate.step, MetricsApplication.whyOff))
    else for (a <- application; guard <- open; failure <- a.gates.guarded(gates, guard)) yield failure

  /** Throws it. */
  def judge(): Unit = failure.foreach(e => throw e)

  def close(): Unit = for (a <- application; guard <- open) a.guards.forget(guard)
}
