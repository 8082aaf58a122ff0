package andiron.chaos

import org.apache.spark.util.LongAccumulator

import andiron.Step

/** A step's operator at one place of a pipeline, and the right counts. */
final class Place(val of: CountedStep, val in: Long, val dropped: Long, val own: Long) {

  /** An action that reads everything has ended well. */
  @volatile var isWhole = false
}

/** A step, its limit, and where it stands. */
final class CountedStep(val step: Step, val limit: Option[Double], val number: Int) {
  var places: Vector[Place] = Vector.empty
  private val counter = step.counter("own")

  def own: andiron.StepCounter = counter

  def add(place: Place): Place = {
    places :+= place
    place
  }
}

/** A named accumulator, and its right value. */
final case class NamedCount(accumulator: LongAccumulator, truth: Long)

/** The result of one seed. */
final class Tally {
  private var counts = Vector.empty[(String, Long)]
  var complaints: Vector[String] = Vector.empty

  def add(what: String, n: Long = 1): Unit = synchronized {
    counts = if (counts.exists(_._1 == what)) counts.map { case (name, was) => (name, if (name == what) was + n else was) } else counts :+ (what -> n)
  }

  def complain(what: String): Unit = synchronized { complaints :+= what }

  def all: Seq[(String, Long)] = synchronized(Tally.Names.map(name => name -> counts.toMap.getOrElse(name, 0L)))
}

object Tally {

  /** The figures of a seed, in the order of the table. */
  val Names: Seq[String] = Seq(
    "stages", "tasks", "jobs_failed", "executors_killed", "tasks_failed", "fetch_failures", "resubmitted", "files_deleted", "blocks_removed",
    "later_attempts", "speculative_copies", "tasks_killed",
    "named", "named_exact", "named_flagged", "named_unseen", "named_wrong", "spark_wrong",
    "steps", "steps_exact", "steps_flagged", "steps_wrong",
    "writes", "published", "refused", "unknown", "passed_wrongly", "refused_wrongly")
}
