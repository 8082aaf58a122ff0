package andiron.faults

import org.apache.spark.TaskContext

import andiron.{Bytes, Catalog}
import andiron.harness.{Features, Signals, Waiting}


/** Cancelled jobs, with and without interrupts of their threads. */
object Cancels {

  /** Half of the tasks lease a version that fills the budget; the others wait for their version. */
  private def waiting(interrupt: Boolean): Fault = cancel("cancel-waiting", interrupt) { (bench, job) =>
    job.start(bench.large, (signals, _) => Hooks.hold(signals))
    Waiting.until("task that waits for the budget", 30)(bench.reported("waiting") >= bench.executors)
  }

  /** Tasks read their leased versions in an endless loop. */
  private def computing(interrupt: Boolean): Fault = cancel("cancel-computing", interrupt) { (bench, job) =>
    job.start(bench.small, (_, bytes) => readWithoutEnd(bytes))
    bench.signals.await("holding-", bench.executors): Unit
  }

  /** Tasks wait for running loads: the loads continue and serve the next job. */
  private def loading(interrupt: Boolean): Fault = cancel("cancel-loading", interrupt) { (bench, job) =>
    job.start(bench.slow, (_, _) => ())
    bench.signals.await("half-", bench.executors): Unit
  }

  private def cancel(name: String, interrupt: Boolean)(begin: (Bench, Job) => Unit): Fault =
    Fault(if (interrupt) s"$name-interrupt" else name) { (bench, seed) =>
      bench.signals.clear()
      val job = new Job(bench, s"$name-$interrupt-$seed", interrupt)
      begin(bench, job)
      Thread.sleep(Math.floorMod(Features.mix(seed), 100L))
      val at = System.currentTimeMillis()
      bench.spark.sparkContext.cancelJobGroup(job.group)
      job.awaitEnd()
      Waiting.until("end of the cancelled tasks", 20)(bench.signals.all("ended-").size >= bench.signals.all("asking-").size)
      val stops = bench.signals.all("stopped-").map(_._2.split(' '))
      bench.signals.mark("go")
      val late = stops.map(stop => stop(0).toLong - at)
      Fault.require(stops.nonEmpty && late.max < 2000, s"tasks stopped ${late.mkString(", ")} ms after the job was cancelled")
      val kinds = stops.map(_(1)).distinct.sorted.mkString(" ")
      Seen(Seq(bench.digest()), Seq("tasks" -> stops.size, "slowest_stop_ms" -> late.max, "exceptions" -> kinds))
    }

  private def readWithoutEnd(bytes: Bytes): Unit = {
    val task = TaskContext.get()
    var sum = 0L
    while (!task.isInterrupted()) {
      for (i <- 0L until bytes.size / 8) sum += bytes.getLong(i * 8)
      if (Thread.interrupted()) throw new InterruptedException("interrupted while it computed")
    }
    throw new org.apache.spark.TaskKilledException(s"killed while it computed $sum")
  }

  /** A job with one task per slot, each with its own version. */
  private final class Job(bench: Bench, val group: String, interrupt: Boolean) {
    private var thread: Thread = _

    def start(catalog: Catalog[Bytes], use: (Signals, Bytes) => Unit): Unit = {
      val (spark, signals, name) = (bench.spark.sparkContext, bench.signals, group)
      val versions = catalog.versions.toIndexedSeq
      thread = new Thread(() =>
        try {
          spark.setJobGroup(name, name, interrupt)
          spark.parallelize(0 until 4, 4).foreach { partition =>
            val task = TaskContext.get().taskAttemptId()
            signals.mark(s"asking-$task")
            try {
              val bytes = catalog.cursor().advance(versions(partition))
              signals.mark(s"holding-$task")
              use(signals, bytes)
            } catch {
              case t: Throwable =>
                signals.mark(s"stopped-$task", s"${System.currentTimeMillis()} ${t.getClass.getSimpleName}")
                throw t
            } finally signals.mark(s"ended-$task")
          }
        } catch { case _: org.apache.spark.SparkException => }, name)
      thread.start()
    }

    def awaitEnd(): Unit = {
      thread.join(30000)
      Fault.require(!thread.isAlive, "the cancelled job has not ended after 30 s")
    }
  }

  val all: Seq[Fault] = Seq(waiting _, computing _, loading _).flatMap(kind => Seq(kind(false), kind(true)))
}
