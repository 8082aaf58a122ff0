package andiron.bench

import org.apache.spark.sql.SparkSession

/** Runs one approach in its own application, with the figures of the executors. */
object OneApproach {

  def run(spark: SparkSession, options: Options): Map[String, Any] = {
    val received = options.job(spark)
    val job = received.copy(scratch = s"${received.scratch}/rows")
    val approach = of(options("approach"), job)
    val sums = new TaskSums(spark.sparkContext)
    job.warmUp()
    approach.prepare()
    val before = Executors.onEach(spark) { () => Executors.reset(); Executors.here() }
    val timed = approach.timed(sums)
    val after = Executors.onEach(spark) { () => Executors.here() ++ Loads.figures }
    val collected = Seq("gc_millis", "gc_count").map(name => name -> after.map { case (id, now) => now(name) - before(id)(name) }.sum)
    val summed = (after.values.head.keySet -- collected.map(_._1)).map(name => name -> after.values.map(_(name)).sum)
    val own = approach.figures
    approach.close()
    (timed ++ summed ++ collected ++ own
      ++ approach.figures.filter(figure => Left(figure._1)).map { case (name, value) => s"closed_$name" -> value })
  }

  /** The figures that are read again after `close`. */
  private val Left = Set("leases", "waiting", "cursors", "attempts", "reservedBytes", "residentBytes", "residentVersions")

  def of(name: String, job: Job): Approach =
    Rivals.of(name, job).orElse(WithAndiron.of(name, job)).getOrElse(throw new IllegalArgumentException(s"approach=$name is not one of the benchmark's"))
}
