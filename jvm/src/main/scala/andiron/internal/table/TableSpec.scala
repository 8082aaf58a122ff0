package andiron.internal.table

import java.nio.charset.StandardCharsets.UTF_8
import java.util.{Collections, LinkedHashMap}

import com.fasterxml.jackson.databind.JsonNode
import org.apache.spark.broadcast.Broadcast

import andiron.{AndironException, ErrorCode}
import andiron.internal.util.Json

/** A version in its line: `relative` counts from the line's base. */
private[andiron] final case class VersionOfLine(name: String, line: Int, relative: Int, schema: TableSchema)

/** The versions from a base on, with the newest manifest, which names all files of the line. */
private[andiron] final class LineSpec(val number: Int, val manifest: TableManifest, versions: Seq[VersionOfLine]) {

  /** The number of files, of the manifest's first ones, that a version needs. */
  val filesOf: Array[Int] = versions.map(version => manifest.files.count(_.ordinal <= manifest.base + version.relative)).toArray

  /** The name of the line in its catalog. */
  def name: String = LineSpec.name(number)
}

private[andiron] object LineSpec {
  def name(number: Int): String = s"line $number"
}

/** A table as executors need it, at one moment. */
private[andiron] final class TableSpec(val uri: String, val description: TableDescription, val lines: IndexedSeq[LineSpec], versions: Seq[VersionOfLine]) {
  private val byName = versions.map(version => version.name -> version).toMap

  def version(name: String): Option[VersionOfLine] = byName.get(name)
}

private[andiron] object TableSpec {

  /** The text that is broadcast: of each line the newest manifest, of each version name and schema. */
  def text(uri: String, state: TableState): String = {
    val all = Json.node().put("uri", uri).put("description", state.description.get.text)
    val lines = all.putArray("lines")
    state.lines.foreach { newest =>
      val node = lines.addObject().put("manifest", newest.text)
      val versions = node.putArray("versions")
      state.versions.filter(_.base == newest.base).foreach(version => versions.addObject().put("name", version.name).put("ordinal", version.ordinal).put("schema", version.schema))
    }
    Json.text(all)
  }

  def of(text: String): TableSpec = {
    val node = Json.parse(text)
    val description = new TableDescription(node.path("description").asText())
    val parsed = Documents.list(node.path("lines")).zipWithIndex.map { case (line, number) =>
      val manifest = new TableManifest(line.path("manifest").asText())
      val versions = Documents.list(line.path("versions")).map { version: JsonNode =>
        val id = version.path("schema").asInt()
        val schema = manifest.schemas.find(_.id == id).getOrElse(throw AndironException.of(ErrorCode.TableDamaged,
          s"table ${node.path("uri").asText()}: version '${version.path("name").asText()}' has the schema $id, which the newest manifest of its line does not name", null))
        VersionOfLine(version.path("name").asText(), number, (version.path("ordinal").asLong() - manifest.base).toInt, schema)
      }
      (new LineSpec(number, manifest, versions), versions)
    }
    new TableSpec(node.path("uri").asText(), description, parsed.map(_._1), parsed.flatMap(_._2))
  }
}

/** A spec as tasks carry it: a broadcast text, parsed once in a process while it is among the last ones used. */
private[andiron] final class SharedTableSpec(uuid: String, bytes: Broadcast[Array[Byte]]) extends Serializable {
  def value: TableSpec = {
    val known = SharedTableSpec.parsed.get(uuid)
    if (known != null) known
    else {
      val spec = TableSpec.of(new String(bytes.value, UTF_8))
      SharedTableSpec.parsed.put(uuid, spec)
      spec
    }
  }
}

private[andiron] object SharedTableSpec {
  private val Most = 16

  private val parsed: java.util.Map[String, TableSpec] = Collections.synchronizedMap(
    new LinkedHashMap[String, TableSpec](Most, 0.75f, true) {
      override def removeEldestEntry(eldest: java.util.Map.Entry[String, TableSpec]): Boolean = size > Most
    })
}
