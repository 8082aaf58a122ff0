package andiron.harness

import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.{Files, Path, StandardOpenOption}

/** Results as JSON, for the Python side of the harness. Numbers and booleans keep their type; other values are written as text. */
object Json {

  /** Appends a line with one object to the file. */
  def append(file: Path, facts: Seq[(String, Any)]): Unit =
    Files.write(file, (of(facts) + "\n").getBytes(UTF_8), StandardOpenOption.CREATE, StandardOpenOption.APPEND): Unit

  /** Writes a list of objects. */
  def write(file: Path, records: Seq[Map[String, Any]]): Unit =
    Files.write(file, records.map(record => of(record.toSeq.sortBy(_._1))).mkString("[\n", ",\n", "\n]\n").getBytes(UTF_8)): Unit

  private def of(facts: Seq[(String, Any)]): String = facts.map { case (key, value) => s"${quote(key)}: ${text(value)}" }.mkString("{", ", ", "}")

  private def text(value: Any): String = value match {
    case number: Double if number.isNaN || number.isInfinite => throw new IllegalArgumentException(s"$number is not a result")
    case plain @ (_: Int | _: Long | _: Double | _: Boolean) => plain.toString
    case other                                               => quote(other.toString)
  }

  private def quote(text: String): String = text.flatMap {
    case '"'          => "\\\""
    case '\\'         => "\\\\"
    case c if c < ' ' => "\\u%04x".format(c.toInt)
    case c            => c.toString
  }.mkString("\"", "", "\"")
}
