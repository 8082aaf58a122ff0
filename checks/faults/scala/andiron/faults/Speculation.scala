package andiron.faults

import org.apache.spark.TaskContext

import andiron.harness.Waiting

/**
 * Spark starts a speculative copy of a slow task that holds a lease; the copy wins and the first attempt is killed. Spark starts no copy
 * on a host that already runs the task, so this fault needs executors with different host names (TwoHosts).
 */
object Speculation {
  /** The settings that make Spark speculate early. */
  val settings: Seq[(String, String)] = Seq(
    "spark.speculation" -> "true", "spark.speculation.interval" -> "100ms", "spark.speculation.multiplier" -> "1.1",
    "spark.speculation.quantile" -> "0.5", "spark.speculation.minTaskRuntime" -> "200ms", "spark.locality.wait" -> "0")

  val fault: Fault = Fault("speculation") { (bench, seed) =>
    bench.awaitExecutors(2)
    val slow = Math.floorMod(seed, Bench.Partitions.toLong).toInt
    val counts = new StageCounts
    bench.spark.sparkContext.addSparkListener(counts)
    val digest = bench.digest(new SlowAttempt(slow))
    Waiting.until("end of the slower copy", 30)(counts.active == 0)
    bench.spark.sparkContext.removeSparkListener(counts)
    Fault.require(counts.speculativeCopies > 0 && counts.kills > 0, s"${counts.speculativeCopies} copies, ${counts.kills} killed")
    Seen(Seq(digest, bench.digest()), Seq("speculative_copies" -> counts.speculativeCopies, "killed" -> counts.kills))
  }
}

/** The first attempt of a partition takes 20 s for its first row, unless it is killed. */
private final class SlowAttempt(partition: Int) extends (Long => Unit) with Serializable {
  @transient private var isLate = false

  override def apply(id: Long): Unit = {
    val task = TaskContext.get()
    if (!isLate && task.partitionId() == partition && task.attemptNumber() == 0) {
      isLate = true
      Thread.sleep(20000)
    }
  }
}
