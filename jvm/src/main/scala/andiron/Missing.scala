package andiron

/**
 * Policy of `mapWithVersion` for a row whose version is null or not in the catalog. No other operation drops such rows.
 */
sealed trait Missing extends Serializable

object Missing {

  /** The task fails with an UnknownVersionException. The default. */
  case object Fail extends Missing

  /** The row is dropped and counted in `catalog.skippedRows`. */
  case object Skip extends Missing

  /** For Java. */
  def fail: Missing = Fail

  /** For Java. */
  def skip: Missing = Skip
}
