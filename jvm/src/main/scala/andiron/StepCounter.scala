package andiron

import andiron.internal.metrics.StepHandle

/**
 * A counter defined by the user, for functions that the step's operators run. Like the step's own counts, it counts
 * each row once, however often Spark computes the row. An addition outside those functions belongs to no row: it is not
 * counted, and the step's figures report it.
 */
final class StepCounter private[andiron] (val name: String, handle: StepHandle, index: Int) extends Serializable {

  /** Adds `n`, which may be negative; returns whether it was counted. */
  def add(n: Long): Boolean = handle.add(index, n)

  /** Adds one. */
  def increment(): Boolean = add(1)
}
