package andiron.demo

import java.text.DecimalFormat
import java.util.zip.CRC32

import org.apache.spark.sql.{Dataset, Encoder, Encoders, SparkSession}
import org.apache.spark.sql.functions.{col, concat_ws}

import andiron.{Gate, Loader, Step, VersionedData, VersionedDataset}
import andiron.harness.Arguments

/** A flight with its label. */
final case class Label(flight: Flight, delayClass: Int)

/** A label with the history of its flight from the cache. */
final case class Fetched(label: Label, facts: Facts)

/** The features of one flight, a row of the table. */
final case class FeatureRow(id: Int, version: String, values: Array[Int])

/** The history of a flight is missing from the cache. */
final class HistoryLost(message: String) extends RuntimeException(message)

/**
 * The main job as three named steps, labels, history and features, with a gate on the second:
 * `Pipeline data=... versions=... table=... lost=<flights in a million>`.
 *
 * The cache behind the step `history` has lost some flights, chosen by a hash of the flight's number. The pipeline overwrites a Parquet table
 * of the features, partitioned by version; the process ends with 1 if the gate fails. demo/steps.py starts it.
 */
object Pipeline {
  private val MostLost = 0.01

  def main(arguments: Array[String]): Unit = {
    val option = Arguments.of(arguments)
    val lost = option("lost").toInt
    Progress.shown(s"flight features, ${new DecimalFormat("0.##").format(lost / 10000.0)} % lost") { spark =>
      new Pipeline(Job(spark, option("data"), option("versions"), option("table")), lost).run()
    }
  }
}

final class Pipeline(job: Job, lostInMillion: Int) {
  private implicit val labelEncoder: Encoder[Label] = Encoders.product[Label]
  private implicit val fetchedEncoder: Encoder[Fetched] = Encoders.product[Fetched]
  private implicit val rowEncoder: Encoder[FeatureRow] = Encoders.product[FeatureRow]

  private val labels = Step(job.spark, "labels")
  private val history = Step(job.spark, "history")
  private val features = Step(job.spark, "features")

  def run(): Unit = {
    Gate(history, maxDropRatio = Pipeline.MostLost, minRows = 1000)
    val catalog = VersionedData.catalog(job.spark, "nyc-metadata", job.catalogued, Loader.bytes)
    try {
      val fetched = labelled(job.rows.flights).mapWithVersion(catalog, col("flight.version")) { (label, bytes) =>
        Fetched(label, new VersionFile(bytes.getInt(_), bytes.getLong(_)).facts(label.flight))
      }
      featured(remembered(fetched).repartition(col("label.flight.version")))
        .write.partitionBy("version").mode("overwrite").parquet(job.out)
    } finally {
      catalog.close()
      Seq(labels, history, features).foreach(_.close())
    }
  }

  private def labelled(flights: Dataset[Flight]): Dataset[Label] = {
    val cancelled = labels.counter("cancelled")
    labels.map(flights) { flight =>
      val delayClass = Features.delayClass(flight.depDelay)
      if (delayClass == 0) cancelled.increment()
      Label(flight, delayClass)
    }
  }

  private def remembered(fetched: Dataset[Fetched]): Dataset[Fetched] = {
    val misses = history.counter("cache-misses")
    val inMillion = lostInMillion
    history.keyed[Fetched](row => s"flight ${row.label.flight.id}").version(_.label.flight.version).map(fetched) { row =>
      if (Lost(row.label.flight.id, inMillion)) {
        misses.increment()
        throw new HistoryLost(s"the cache has lost the history of planes from ${row.label.flight.origin} in ${row.label.flight.version}")
      }
      row
    }
  }

  private def featured(rows: Dataset[Fetched]): Dataset[FeatureRow] = {
    val unknown = features.counter("unknown-plane")
    features.map(rows) { row =>
      val flight = row.label.flight
      if (row.facts.year == Features.None) unknown.increment()
      FeatureRow(flight.id, flight.version, Features.of(flight, row.facts))
    }
  }
}

/** The lost flights: the same as in demo/steps.py. */
object Lost {
  private val Million = 1000000

  def apply(id: Int, inMillion: Int): Boolean = {
    val hash = new CRC32
    hash.update(s"lost:$id".getBytes("US-ASCII"))
    hash.getValue % Million < inMillion
  }
}

/** Writes the table of a [[Pipeline]] as CSV lines: `Published table=... out=...`. */
object Published {
  def main(arguments: Array[String]): Unit = {
    val option = Arguments.of(arguments)
    val spark = SparkSession.builder().appName("andiron-demo published").getOrCreate()
    try spark.read.parquet(option("table")).select(concat_ws(",", col("values").cast("array<string>"))).write.text(option("out"))
    finally spark.stop()
  }
}
