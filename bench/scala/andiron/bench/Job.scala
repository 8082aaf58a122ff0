package andiron.bench

import org.apache.spark.sql.{Dataset, SparkSession}

/**
 * The job of one application.
 *
 * @param limit bytes of versions that an executor may hold, for approaches that take a limit
 * @param scratch the folder for rows that an approach materialises
 */
final case class Job(spark: SparkSession, shape: Shape, source: Source, limit: Long, scratch: String) {

  def members: Dataset[Member] = Member.all(spark, shape)

  def sorted: Dataset[Member] = members.sortWithinPartitions("version")

  /** Runs the job without work, to load the classes and open the connections that every job needs. */
  def warmUp(): Unit = {
    val small = shape.copy(work = 1, pauseMicros = 0, stripes = 1)
    Member.tally(Member.all(spark, small).sortWithinPartitions("version").map((row: Member) =>
      Member.feature(small, row, row.fact))(Member.features)): Unit
  }
}

/**
 * A way to give each row the data of its version.
 *
 * `run` is timed, `prepare` is not. `parts`: the seconds of `run` outside of the computation, by name.
 */
abstract class Approach(val job: Job) {
  def prepare(): Unit = ()
  def run(): Tally
  def parts: Map[String, Double] = Map.empty

  /** Runs the job: its time, its result, and the sums of its tasks. */
  final def timed(sums: TaskSums): Map[String, Any] = {
    sums.start()
    val started = System.nanoTime()
    val tally = run()
    val wall = (System.nanoTime() - started) / 1e9
    Map("wall_s" -> wall, "rows" -> tally.rows, "digest" -> f"${tally.digest}%016x") ++ sums.figures ++ parts
  }

  /** Releases the state that `run` keeps until its figures are read. */
  def close(): Unit = ()

  /** Figures of this approach, read after `run` and again after `close`. */
  def figures: Map[String, Long] = Map.empty
}
