package andiron.harness

import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.{Files, Path, StandardOpenOption}

import com.fasterxml.jackson.databind.ObjectMapper

/** Results as JSON, for the Python side of the harness. Numbers and booleans keep their type; other values are written as text. */
object Json {
  private val mapper = new ObjectMapper

  /** Appends a line with one object to the file. */
  def append(file: Path, facts: Seq[(String, Any)]): Unit =
    Files.write(file, (of(facts) + "\n").getBytes(UTF_8), StandardOpenOption.CREATE, StandardOpenOption.APPEND): Unit

  /** Writes a list of objects. */
  def write(file: Path, records: Seq[Map[String, Any]]): Unit =
    Files.write(file, records.map(record => of(record.toSeq.sortBy(_._1))).mkString("[\n", ",\n", "\n]\n").getBytes(UTF_8)): Unit

  private def of(facts: Seq[(String, Any)]): String = {
    val node = mapper.createObjectNode()
    facts.foreach {
      case (key, number: Double) if number.isNaN || number.isInfinite => throw new IllegalArgumentException(s"$key is $number")
      case (key, plain @ (_: Int | _: Long | _: Double | _: Boolean)) => node.putPOJO(key, plain)
      case (key, other)                                               => node.put(key, other.toString)
    }
    mapper.writeValueAsString(node)
  }
}
