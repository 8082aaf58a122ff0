package andiron.bench

import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.{Files, Paths}

/** Results as JSON: what bench/spark_app.py reads. */
object Json {

  /** Writes a list of objects. A value is text, a number or a truth. */
  def write(file: String, records: Seq[Map[String, Any]]): Unit = {
    val text = records.map(record => record.toSeq.sortBy(_._1).map { case (key, value) => s"${quote(key)}: ${of(value)}" }.mkString("{", ", ", "}"))
    Files.write(Paths.get(file), text.mkString("[\n", ",\n", "\n]\n").getBytes(UTF_8)): Unit
  }

  private def of(value: Any): String = value match {
    case text: String                  => quote(text)
    case number: Double if number.isNaN || number.isInfinite => throw new IllegalArgumentException(s"$number is not a result")
    case number @ (_: Int | _: Long | _: Double) => number.toString
    case truth: Boolean                => truth.toString
    case other                         => throw new IllegalArgumentException(s"$other is neither text, number nor truth")
  }

  private def quote(text: String): String = text.flatMap {
    case '"'           => "\\\""
    case '\\'          => "\\\\"
    case c if c < ' '  => "\\u%04x".format(c.toInt)
    case c             => c.toString
  }.mkString("\"", "", "\"")
}
