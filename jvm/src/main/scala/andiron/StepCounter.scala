package andiron

import andiron.internal.metrics.StepHandle

/**
 * A counter of a step's own, for the functions that the step's operators run. It counts what the step counts: each row once, however often
 * Spark computes it. Adding outside those functions counts nothing, since nothing would tell to which row it belongs, and the step's figures say so.
 */
final class StepCounter private[andiron] (val name: String, handle: StepHandle, index: Int) extends Serializable {

  /** Adds `n`, which may be negative. Returns whether it was counted. */
  def add(n: Long): Boolean = handle.add(index, n)

  /** Adds one. */
  def increment(): Boolean = add(1)
}
