package andiron.demo

import java.nio.file.Paths

import org.apache.spark.sql.{Dataset, Encoder, Encoders}

import andiron.harness.{Copies, OwnCopy}

/**
 * The baseline, the plain join, the closure and Andiron. Each returns after its features are written. The benchmark has the other approaches of the talk.
 * No method of this class names a class of Andiron, whose jar only the executors of `andiron-bytes` have: an executor that gets a function of
 * this class looks at all of its methods.
 */
final class Approaches(job: Job) {
  private implicit val text: Encoder[String] = Encoders.STRING

  def run(approach: String): Held = approach match {
    // The rows carry their facts and are sorted like those of the approaches below, so that the additional memory of these is due to the metadata.
    case "baseline"       => written(job.rows.joined)
    case "join"           => written(job.rows.sparkJoin)
    case "sorted-closure" => closure()
    case "andiron-bytes"  => new WithAndiron(job).run()
    case other            => throw new IllegalArgumentException(s"approach=$other is not one of the demo's")
  }

  private def written(rows: Dataset[(Flight, Facts)]): Held = {
    rows.map { (row: (Flight, Facts)) => Features.line(row._1, row._2) }.write.text(job.out)
    Held(0, 0, 0, 0)
  }

  /** Each task loads its own copies. Rows are sorted by version within partitions, so that a task loads each version once. */
  private def closure(): Held = {
    val (folder, context) = (job.versionFolder, job.spark.sparkContext)
    val (loads, copies, bytes) = (context.longAccumulator, context.collectionAccumulator[Int], context.collectionAccumulator[Long])
    job.rows.flights.sortWithinPartitions("version").mapPartitions { (rows: Iterator[Flight]) =>
      val copy = new OwnCopy
      var (name, version) = ("", null: VersionFile)
      rows.map { flight =>
        if (flight.version != name) {
          version = VersionFile(copy.read(Paths.get(folder, s"${flight.version}.bin")))
          name = flight.version
          loads.add(1L)
          copies.add(Copies.most)
          bytes.add(Copies.mostInBytes)
        }
        Features.line(flight, version.facts(flight))
      }
    }.write.text(job.out)
    Held(loads.sum, copies.value.stream.mapToLong(_.toLong).max.orElse(0), bytes.value.stream.mapToLong(_.longValue).max.orElse(0), 0)
  }
}
