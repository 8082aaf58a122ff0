package andiron.bench

import org.apache.spark.sql.{Dataset, SparkSession}

/**
 * The job of one application.
 *
 * @param limit bytes of versions that an executor may hold, for those approaches that take a limit
 * @param scratch a folder for the rows that an approach materialises
 */
final case class Job(spark: SparkSession, shape: Shape, source: Source, limit: Long, scratch: String) {

  def members: Dataset[Member] = Member.all(spark, shape)

  def sorted: Dataset[Member] = members.sortWithinPartitions("version")

  /** The same without work: loads classes and opens connections that every job needs. */
  def warmUp(): Unit = {
    val small = shape.copy(work = 1, pauseMicros = 0, stripes = 1)
    Member.tally(Member.all(spark, small).sortWithinPartitions("version").map((row: Member) =>
      Member.feature(small, row, row.fact))(Member.features)): Unit
  }
}

/**
 * A way to give each row its version.
 *
 * `prepare` is not timed; `run` is. `parts`: seconds of `run` beside the computation, by name.
 */
abstract class Approach(val job: Job) {
  def prepare(): Unit = ()
  def run(): Tally
  def parts: Map[String, Double] = Map.empty

  /** Ends the state that `run` has left for its figures to be read. */
  def close(): Unit = ()

  /** Figures of the approach's own, after `run` and after `close`. */
  def figures: Map[String, Long] = Map.empty
}
