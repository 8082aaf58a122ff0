package andiron.hive

import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.{Files, Path}

import andiron.testing.{EventSchema, SuiteRunner}

import com.fasterxml.jackson.databind.JsonNode
import org.junit.runner.RunWith
import org.scalatest.funsuite.AnyFunSuite

/** The schema of events holds for Hive's columns and for the JSON that Scala makes. */
@RunWith(classOf[SuiteRunner])
class SchemaSuite extends AnyFunSuite {
  import Value._

  private def fits(value: Value, field: JsonNode): Boolean = {
    def is(node: JsonNode, types: String*): Boolean = types.contains(node.path("type").asText(""))
    def items: JsonNode = EventSchema.resolved(field.path("items"))
    value match {
      case Text   => is(field, "string") || field.has("enum")
      case Whole  => is(field, "integer", "number") || field.path("const").isIntegralNumber
      case Number => is(field, "number", "integer")
      case Flag   => is(field, "boolean")
      case Texts  => is(field, "array") && is(items, "string")
      case Wholes => is(field, "array") && is(items, "integer")
      case Stages => is(field, "array") && (is(items, "integer") || items.path("properties").has("stage"))
    }
  }

  test("each of Hive's columns is a field of the schema, of a type that fits") {
    assert(Columns.byKind.keySet == EventSchema.byKind.keySet)
    for ((kind, columns) <- Columns.byKind.toSeq :+ ("Metric" -> Columns.amounts); column <- columns) {
      val field = EventSchema.fields(kind).getOrElse(column.field, fail(s"a $kind has no field ${column.field}"))
      assert(fits(column.value, field), s"$kind.${column.field} is $field")
    }
    Columns.common.foreach { column =>
      val field = EventSchema.common.getOrElse(column.field, fail(s"an event has no field ${column.field}"))
      assert(fits(column.value, field), s"${column.field} is $field")
    }
  }

  /** Where Scala makes the JSON of events, and the fields of each that no event has, as "From the JVM" in wire-format.md lists them. */
  private val producers = Seq(
    "EventJson.scala" -> Set("partitions", "indeterminate", "operation", "parents", "tells", "values", "long", "double", "text", "parent"),
    "CellEncoder.scala" -> Set("hash"),
    "MetricsFacts.scala" -> Set.empty[String],
    "LogWatch.scala" -> Set.empty[String])

  private val Field = """(?:put|set\[ObjectNode\]|putArray|putObject)\("([A-Za-z_]+)"""".r

  test("Scala makes only fields of the schema, and those that the driver alone reads") {
    val sources = {
      val all = Files.walk(EventSchema.project.resolve("jvm/src/main/scala"))
      try all.toArray.toSeq.map(_.asInstanceOf[Path])
      finally all.close()
    }
    val document = new String(Files.readAllBytes(EventSchema.project.resolve("docs/internals/wire-format.md")), UTF_8)
    for ((file, more) <- producers) {
      val source = sources.find(_.getFileName.toString == file).getOrElse(fail(s"there is no $file"))
      val made = Field.findAllMatchIn(new String(Files.readAllBytes(source), UTF_8)).map(_.group(1)).toSet
      assert(made.nonEmpty, file)
      assert((made -- EventSchema.names) -- more == Set.empty, file)
      assert(more -- made == Set.empty, s"$file does not make them any more")
      more.foreach(name => assert(document.contains(s"`$name`"), s"wire-format.md does not have $name of $file"))
    }
  }
}
