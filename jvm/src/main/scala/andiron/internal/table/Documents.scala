package andiron.internal.table

import com.fasterxml.jackson.databind.JsonNode

import andiron.internal.util.Json

/** The parts of a table that never change, as read from its text, which Rust has checked. */
private[andiron] final class TableDescription private (val text: String, node: JsonNode) {
  def this(text: String) = this(text, Json.parse(text))

  /** The table's number, which its segments carry. */
  val table: String = node.path("table").asText()

  /** Ids of the key columns, in the order of the key. */
  val key: IndexedSeq[Int] = Documents.list(node.path("key")).map(_.asInt())

  /** A power of two. */
  val shards: Int = node.path("shards").asInt()

  val seed: Long = java.lang.Long.parseUnsignedLong(node.path("seed").asText(), 16)

  /** The shard of a key's hash. */
  def shard(hash: Long): Int = TableDescription.shard(hash, Integer.numberOfTrailingZeros(shards))
}

private[andiron] object TableDescription {
  def shard(hash: Long, bits: Int): Int = if (bits == 0) 0 else (hash >>> (64 - bits)).toInt
}

/** A segment that a version needs. */
private[andiron] final case class TableFile(name: String, ordinal: Long, bytes: Long, checksum: String, firstShard: Int, lastShard: Int)

/** A version, as read from its manifest's text, which Rust has checked. */
private[andiron] final class TableManifest private (val text: String, node: JsonNode) {
  def this(text: String) = this(text, Json.parse(text))

  val version: String = node.path("version").asText()
  val ordinal: Long = node.path("ordinal").asLong()

  /** The ordinal of the base of its line. */
  val base: Long = node.path("base").asLong()

  val schemas: IndexedSeq[TableSchema] = Documents.list(node.path("schemas")).map(TableSchema.of)

  /** The schema of its rows. */
  def schema: TableSchema = schemas.last

  /** From the base on, by ordinal. */
  val files: IndexedSeq[TableFile] = Documents.list(node.path("files")).map { file =>
    TableFile(file.path("name").asText(), file.path("ordinal").asLong(), file.path("bytes").asLong(), s"xxh3:${file.path("xxh3").asText()}",
      file.path("shards").get(0).asInt(), file.path("shards").get(1).asInt())
  }

  val rows: Long = node.path("rows").asLong()

  /** The time from which on it is valid, in microseconds since 1970. */
  val validFrom: Option[Long] = Some(node.path("validFrom")).filter(_.isIntegralNumber).map(_.asLong())
}

private[andiron] object Documents {
  def list(node: JsonNode): IndexedSeq[JsonNode] = (0 until node.size).map(node.get)
}
