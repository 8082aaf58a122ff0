package andiron.testing

import java.nio.file.{Files, Path, Paths}

import com.fasterxml.jackson.databind.{JsonNode, ObjectMapper}

/** docs/internals/wire-format.schema.json: the fields of an event, and their types. */
object EventSchema {

  /** The directory of the project. */
  lazy val project: Path =
    Iterator.iterate(Paths.get("").toAbsolutePath)(_.getParent).takeWhile(_ != null).find(d => Files.exists(d.resolve("settings.gradle"))).getOrElse(
      throw new IllegalStateException("tests run in a directory of the project"))

  private lazy val schema: JsonNode = new ObjectMapper().readTree(project.resolve("docs/internals/wire-format.schema.json").toFile)

  /** The fields of all events, by name. */
  lazy val common: Map[String, JsonNode] = properties(schema)

  /** The names of the kinds, by their numbers from 1. */
  lazy val kinds: Seq[String] = elements(schema.at("/properties/kind/enum")).map(_.asText())

  /** The kinds, each with the structs that its body may be. */
  lazy val byKind: Map[String, Seq[JsonNode]] = elements(schema.path("allOf")).map { condition =>
    val body = condition.path("then")
    val bodies = if (body.has("anyOf")) elements(body.path("anyOf")) else Seq(body)
    condition.at("/if/properties/kind/const").asText() -> bodies.map(resolved)
  }.toMap

  /** The fields of a kind, by name, in any of its structs. */
  def fields(kind: String): Map[String, JsonNode] = byKind(kind).map(properties).reduce(_ ++ _)

  /** The fields of all kinds, and those of objects in them. */
  lazy val names: Set[String] = {
    val structs = entries(schema.path("$defs")).map(_._2)
    common.keySet ++ structs.flatMap(properties(_).keySet)
  }

  /** A type without the reference to it. */
  def resolved(node: JsonNode): JsonNode = {
    val reference = node.path("$ref").asText("")
    if (reference.isEmpty) node else resolved(schema.at(reference.stripPrefix("#")))
  }

  /** The differences of an event's body from the schema of its kind. A field that the schema lacks is one. */
  def problems(kind: String, body: JsonNode): Seq[String] =
    byKind(kind).map(struct => of(body, struct, kind, common)).minBy(_.size)

  private def of(value: JsonNode, struct: JsonNode, at: String, besides: Map[String, JsonNode]): Seq[String] = {
    val known = besides ++ properties(struct)
    val missing = elements(struct.path("required")).map(_.asText()).filterNot(name => value.has(name)).map(name => s"$at.$name is missing")
    missing ++ entries(value).flatMap { case (name, inner) =>
      known.get(name).fold(Seq(s"$at.$name is unknown"))(expected => mismatch(inner, expected, s"$at.$name"))
    }
  }

  private def mismatch(value: JsonNode, expected: JsonNode, at: String): Seq[String] = {
    val fits = expected.path("type").asText("") match {
      case "integer" => value.isIntegralNumber
      case "number"  => value.isNumber
      case "boolean" => value.isBoolean
      case "string"  => value.isTextual
      case "array"   => value.isArray
      case "object"  => value.isObject
      case _         => true
    }
    val choices = elements(expected.path("enum")).map(_.asText())
    if (!fits || (choices.nonEmpty && !choices.contains(value.asText()))) Seq(s"$at is $value")
    else if (value.isArray) elements(value).flatMap(mismatch(_, resolved(expected.path("items")), s"$at[]"))
    else if (value.isObject && expected.has("properties")) of(value, expected, at, Map.empty)
    else if (value.isObject) entries(value).flatMap { case (name, inner) => mismatch(inner, resolved(expected.path("additionalProperties")), s"$at.$name") }
    else Nil
  }

  private def properties(node: JsonNode): Map[String, JsonNode] =
    entries(node.path("properties")).map { case (name, property) => name -> resolved(property) }.toMap

  private def elements(node: JsonNode): Seq[JsonNode] = (0 until node.size).map(i => node.get(i))

  private def entries(node: JsonNode): Seq[(String, JsonNode)] = {
    var found = Vector.empty[(String, JsonNode)]
    node.fieldNames().forEachRemaining(name => found :+= name -> node.get(name))
    found
  }
}
