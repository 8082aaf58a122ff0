package andiron.demo

import java.io.InputStream
import java.nio.ByteBuffer

import scala.collection.mutable

/** A version as ordinary JVM objects: what a pipeline that parses its metadata into maps has. */
final class VersionObjects(
    weather: mutable.HashMap[(String, Int), Array[Int]],
    planes: mutable.HashMap[String, Array[Int]],
    airports: mutable.HashMap[String, Array[Int]],
    pages: Option[Pages]) extends Metadata {

  def facts(flight: Flight): Facts = {
    pages.foreach(_.touch(flight.id))
    val w = weather.getOrElse((flight.origin, flight.hour), VersionObjects.Unknown)
    val p = planes.getOrElse(flight.tailnum, VersionObjects.Unknown)
    val a = airports.getOrElse(flight.dest, VersionObjects.Unknown)
    Facts(w(0), w(1), w(2), w(3), p(0), p(1), p(2), p(3), a(0), a(1), a(2))
  }
}

object VersionObjects {
  private val Unknown = Array.fill(4)(Features.None)

  def parse(in: InputStream): VersionObjects = {
    val bytes = in.readAllBytes()
    val file = new VersionFile(new BufferWords(ByteBuffer.wrap(bytes)))
    val weather = mutable.HashMap.empty[(String, Int), Array[Int]]
    for ((key, values) <- file.records(VersionFile.Weather))
      weather((VersionFile.keyText(key >>> 16), (key & 0xffff).toInt)) = values
    new VersionObjects(weather, byText(file, VersionFile.Planes), byText(file, VersionFile.Airports),
      if (file.pages.isEmpty) None else Some(file.pages))
  }

  private def byText(file: VersionFile, table: Int): mutable.HashMap[String, Array[Int]] = {
    val found = mutable.HashMap.empty[String, Array[Int]]
    for ((key, values) <- file.records(table)) found(VersionFile.keyText(key)) = values
    found
  }
}
