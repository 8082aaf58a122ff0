package andiron.faults

import scala.concurrent.{Await, Future}
import scala.concurrent.ExecutionContext.Implicits.global
import scala.concurrent.duration.DurationInt

import org.apache.spark.TaskContext

import andiron.harness.{Features, Waiting}

/** Executors that end during their work, and the executors that replace them. */
object Kills {
  private val Executors = 2

  private def kill(pid: Long): Unit = Fault.require(ProcessHandle.of(pid).get.destroyForcibly(), s"process $pid was not killed")

  private def terminate(pid: Long): Unit = Fault.require(ProcessHandle.of(pid).get.destroy(), s"process $pid was not terminated")

  /** Starts the job, ends an executor that has set the mark, lets the others continue, and waits for the job's digest. */
  private def during(bench: Bench, seed: Long, mark: String, end: Long => Unit)(job: => String): Seen = {
    bench.signals.clear()
    bench.awaitExecutors(Executors)
    val running = Future(job)
    val pids = bench.signals.await(mark).map(_._1.split('-')(1).toLong).distinct
    Thread.sleep(Math.floorMod(Features.mix(seed), 200L))
    val victim = pids(Math.floorMod(seed, pids.size.toLong).toInt)
    end(victim)
    Waiting.until(s"end of process $victim", 30)(!ProcessHandle.of(victim).isPresent)
    bench.signals.mark("go")
    val digest = Await.result(running, 120.seconds)
    after(bench, victim, Seq(digest))
  }

  /** Runs the job again, with a new executor that must load all versions again. */
  private def after(bench: Bench, victim: Long, digests: Seq[String]): Seen = {
    bench.awaitExecutors(Executors)
    val again = bench.digest()
    val probes = bench.settled()
    Fault.require(probes.forall(_.pid != victim), s"process $victim still answers")
    Seen(digests :+ again, Seq("victim" -> victim, "loads_of_all" -> probes.map(_.apply("loads")).sum))
  }

  private val inLoad = Fault("kill-during-load") { (bench, seed) =>
    val catalog = bench.slow
    val versions = catalog.versions.toIndexedSeq
    during(bench, seed, "half-", kill) {
      val wrong = bench.spark.sparkContext.parallelize(0 until 8, 8).filter { partition =>
        val version = versions(partition % versions.size)
        val bytes = catalog.cursor().advance(version)
        (0L until bytes.size / 8).exists(i => bytes.getLong(i * 8) != Cells.cell(version, i))
      }.count()
      if (wrong == 0) bench.truth else s"$wrong wrong versions"
    }
  }

  private val inJob = Fault("kill-during-job") { (bench, seed) =>
    during(bench, seed, "holding-", kill)(bench.digest(Hooks.holding(bench.signals)))
  }

  /** SIGTERM, the signal of resource managers: Spark's shutdown hooks run concurrently with the tasks. */
  private val terminated = Fault("terminate-during-job") { (bench, seed) =>
    during(bench, seed, "holding-", terminate)(bench.objectDigest(Hooks.holding(bench.signals)))
  }

  /** A task calls System.exit while it and other tasks hold leases. */
  private val exits = Fault("exit-during-job") { (bench, seed) =>
    bench.signals.clear()
    bench.awaitExecutors(Executors)
    val partition = Math.floorMod(seed, Bench.Partitions.toLong).toInt
    val digest = bench.digest(Hooks.exiting(bench.signals, partition, 3))
    Fault.require(bench.signals.has("exiting"), "no executor has ended")
    bench.awaitExecutors(Executors)
    Seen(Seq(digest, bench.digest()), Seq.empty)
  }

  /** An executor is lost between two jobs; its replacement loads the same versions. */
  private val idle = Fault("kill-idle") { (bench, seed) =>
    bench.awaitExecutors(Executors)
    val before = bench.digest()
    val victims = bench.probe()
    val victim = victims(Math.floorMod(seed, victims.size.toLong).toInt).pid
    kill(victim)
    Waiting.until(s"end of process $victim", 30)(!ProcessHandle.of(victim).isPresent)
    val seen = after(bench, victim, Seq(before))
    val fresh = bench.probe().filterNot(probe => victims.exists(_.pid == probe.pid))
    Fault.require(fresh.exists(_.apply("loads") > 0), "the new executor has loaded nothing")
    seen
  }

  /** checks/faults/run.py kills the driver process while its executors hold leases. */
  private val driver = Fault("kill-driver") { (bench, _) =>
    bench.signals.clear()
    bench.awaitExecutors(Executors)
    val running = Future(bench.digest(Hooks.holding(bench.signals)))
    bench.signals.await("holding-", Executors)
    println("ready: kill the driver")
    Await.result(running, 120.seconds)
    throw new IllegalStateException(s"the driver of ${TaskContext.getPartitionId()} lives on")
  }

  val all: Seq[Fault] = Seq(inLoad, inJob, terminated, exits, idle, driver)
}
