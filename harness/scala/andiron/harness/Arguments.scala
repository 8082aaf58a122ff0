package andiron.harness

/** The arguments `key=value` of a program, by key. */
object Arguments {
  def of(arguments: Array[String]): Map[String, String] = arguments.map(_.split("=", 2)).collect { case Array(key, value) => key -> value }.toMap
}
