package andiron.services

import java.net.{URI, URLEncoder}
import java.net.http.{HttpClient, HttpRequest, HttpResponse}
import java.nio.charset.StandardCharsets.UTF_8

import com.fasterxml.jackson.core.json.JsonReadFeature
import com.fasterxml.jackson.databind.{JsonNode, ObjectMapper}
import com.fasterxml.jackson.databind.json.JsonMapper

import andiron.harness.Waiting

/** A client of the Atlas at `uri`. */
final class AtlasApi(uri: String) {
  private val client = HttpClient.newHttpClient()
  // Atlas gives NaN for a step without a value.
  private val mapper: ObjectMapper = JsonMapper.builder().enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS).build()

  private def get(path: String): JsonNode = {
    val answer = client.send(HttpRequest.newBuilder(URI.create(uri + path)).build(), HttpResponse.BodyHandlers.ofString())
    Check.require(answer.statusCode == 200, s"$path: ${answer.statusCode} ${answer.body}")
    mapper.readTree(answer.body)
  }

  private def strings(node: JsonNode): Set[String] = {
    var found = Set.empty[String]
    node.forEach(one => found += one.asText())
    found
  }

  /** The values of a tag in the series that `q` selects. */
  def values(tag: String, q: String): Set[String] = strings(get(s"/api/v1/tags/$tag?q=${encoded(q)}"))

  /** The lines of a graph of the last ten minutes by legend: the time and value of each step with a value. */
  def graph(q: String): Map[String, Seq[(Long, Double)]] = {
    val answer = get(s"/api/v1/graph?q=${encoded(q)}&format=json&s=e-10m")
    val (start, step) = (answer.path("start").asLong(), answer.path("step").asLong())
    var lines = Vector.empty[String]
    answer.path("legend").forEach(legend => lines :+= legend.asText())
    var found = lines.map(_ -> Vector.empty[(Long, Double)]).toMap
    var at = start
    answer.path("values").forEach { values =>
      lines.zipWithIndex.foreach { case (line, index) =>
        val value = values.path(index).asDouble(Double.NaN)
        if (!value.isNaN) found = found.updated(line, found(line) :+ (at -> value))
      }
      at += step
    }
    found.filter(_._2.nonEmpty)
  }

  /** The last value of the line that `q` selects; none unless it selects exactly one line. */
  def last(q: String): Option[Double] = graph(q).values.toSeq match {
    case Seq(line) => line.lastOption.map(_._2)
    case _         => None
  }

  private def encoded(text: String): String = URLEncoder.encode(text, UTF_8)
}

object AtlasApi {

  /** The rise of a counter, computed from its rates in steps of `millis`. The rate after missing steps covers these steps too. */
  def risen(rates: Seq[(Long, Double)], millis: Long): Double =
    rates.zip(rates.headOption.map(_._1 - millis) ++ rates.map(_._1)).map { case ((at, rate), before) => rate * (at - before) / 1000 }.sum

  /** Waits until `condition` holds, and fails with `what` after three minutes. */
  def eventually(what: => String)(condition: => Boolean): Unit = Waiting.until(what, 180, 200)(condition)
}
