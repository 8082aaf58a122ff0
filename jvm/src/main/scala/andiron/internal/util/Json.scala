package andiron.internal.util

import com.fasterxml.jackson.databind.{JsonNode, ObjectMapper}
import com.fasterxml.jackson.databind.node.{ArrayNode, ObjectNode, TextNode}

/** JSON between Scala and Rust, with the Jackson that Spark brings. */
private[andiron] object Json {
  private val mapper = new ObjectMapper

  def node(): ObjectNode = mapper.createObjectNode()

  def array(values: Iterable[String]): ArrayNode = {
    val made = mapper.createArrayNode()
    values.foreach(value => made.add(value))
    made
  }

  def numbers(values: Iterable[Long]): ArrayNode = {
    val made = mapper.createArrayNode()
    values.foreach(value => made.add(value))
    made
  }

  def list(): ArrayNode = mapper.createArrayNode()

  def textNode(text: String): JsonNode = TextNode.valueOf(text)

  def text(node: JsonNode): String = mapper.writeValueAsString(node)

  def bytes(node: JsonNode): Array[Byte] = mapper.writeValueAsBytes(node)

  def parse(text: String): JsonNode = mapper.readTree(text)
}
