package andiron.faults

import org.apache.spark.{TaskContext, TaskKilledException}

import andiron.harness.{Features, Signals, Waiting}

object Hooks {

  /** An action that the tasks of the job run at every row, with the row's id. */
  type Hook = Long => Unit

  val none: Hook = _ => ()

  /** The first attempt of every other partition fails at one of its rows. */
  def failing(seed: Long): Hook = { id =>
    val task = TaskContext.get()
    val isChosen = task.attemptNumber() == 0 && (task.partitionId() + seed) % 2 == 0
    if (isChosen && Features.mix(id) % 16 == 0) throw new IllegalStateException(s"injected at row $id")
  }

  /** Sets the mark `holding-<pid>-<partition>`, then waits for the mark `go` while it leases a version. */
  def holding(signals: Signals): Hook = { _ =>
    if (!signals.has("go")) {
      signals.mark(s"holding-${ProcessHandle.current().pid()}-${TaskContext.getPartitionId()}")
      hold(signals)
    }
  }

  /** Waits for the mark `go`, at most 30 s, unless the task is killed. */
  def hold(signals: Signals): Unit = {
    val task = TaskContext.get()
    Waiting.until("mark 'go'", 30) {
      if (task.isInterrupted()) throw new TaskKilledException("killed while it held a version")
      signals.has("go")
    }
  }

  /** One task of the job ends its JVM with `status` at its first row, once only. */
  def exiting(signals: Signals, partition: Int, status: Int): Hook =
    _ => if (TaskContext.getPartitionId() == partition && signals.mark("exiting")) System.exit(status)
}
