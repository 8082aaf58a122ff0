package andiron

/**
 * Policy of `mapWithVersion` for a row whose version is null or not in the catalog, and of `lookup` for a row whose version
 * the table lacks. No other operation drops such rows.
 */
sealed trait Missing extends Serializable

object Missing {

  /** The task fails with an UnknownVersionException. The default. */
  case object Fail extends Missing

  /** The row is dropped; `mapWithVersion` counts it in `catalog.skippedRows`. `lookup` drops rows without a version too. */
  case object Skip extends Missing

  /** The row stays, and the columns of the table are null. For `lookup` only: a catalog has no null value. */
  case object Null extends Missing

  /** For Java. */
  def fail: Missing = Fail

  /** For Java. */
  def skip: Missing = Skip

  /** For Java: [[Null]]. */
  def asNull: Missing = Null
}
