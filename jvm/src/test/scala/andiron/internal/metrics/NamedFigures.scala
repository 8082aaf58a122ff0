package andiron.internal.metrics

import org.apache.spark.sql.SparkSession

import andiron.internal.util.Json

/** Andiron's figure of a named accumulator at one terminal RDD. */
final case class NamedFigure(scope: String, committed: Double, exact: Boolean, reason: String)

/** Andiron's figures for a named accumulator, one for each terminal RDD. */
object NamedFigures {
  def of(spark: SparkSession, name: String): Seq[NamedFigure] = {
    val application = MetricsApplication.of(spark.sparkContext).get
    assert(application.barrier(20000))
    var figures = Vector.empty[NamedFigure]
    Json.parse(application.figures()).path("accumulators").forEach { figure =>
      if (figure.path("acc").asText() == name) {
        val (scope, reason) = (figure.path("scope").asText(), figure.path("reason").asText())
        figures :+= NamedFigure(scope, figure.path("committed").asDouble(), figure.path("exact").asBoolean(), reason)
      }
    }
    figures
  }

  /** The one that there is. */
  def one(spark: SparkSession, name: String): NamedFigure = {
    val all = of(spark, name)
    assert(all.size == 1, all)
    all.head
  }
}
