package andiron.internal.table

import com.fasterxml.jackson.databind.JsonNode
import org.apache.spark.sql.types._

import andiron.{AndironException, ErrorCode}
import andiron.internal.util.Json

/** A column of a table. Its id stays the same for the table's whole life, whatever its name becomes. */
private[andiron] final case class TableColumn(id: Int, name: String, dataType: DataType, nullable: Boolean)

/** The columns of rows, key columns included, under the id that their records carry. */
private[andiron] final case class TableSchema(id: Int, columns: IndexedSeq[TableColumn]) {
  def column(id: Int): Option[TableColumn] = columns.find(_.id == id)

  /** The schema as Spark has it. */
  def toStruct: StructType = StructType(columns.map(column => StructField(column.name, column.dataType, column.nullable)))
}

/** Schemas between Spark and the documents of a table; the forms are those of `native/src/table/{types,schema}.rs`. */
private[andiron] object TableSchema {
  def of(node: JsonNode): TableSchema = {
    val columns = node.path("columns")
    TableSchema(node.path("id").asInt(), (0 until columns.size).map { place =>
      val column = columns.get(place)
      TableColumn(column.path("id").asInt(), column.path("name").asText(), typeOf(column.path("type")), column.path("nullable").asBoolean())
    })
  }

  /** The columns of rows to publish: a JSON list of name, type and whether null may occur. */
  def columnsOf(rows: StructType, key: Set[String], table: String): JsonNode = {
    val all = Json.list()
    rows.fields.foreach { field =>
      val column = all.addObject()
      column.put("name", field.name)
      column.set[JsonNode]("type", nodeOf(field.dataType, what => refuse(table, field.name, what)))
      column.put("nullable", field.nullable && !key(field.name))
    }
    all
  }

  private def refuse(table: String, column: String, what: String): Nothing =
    throw AndironException.of(ErrorCode.TableSchema,
      s"table $table: the column '$column' cannot be stored, since a table has no $what: cast it to another type, or leave the column out", null)

  /** The type in a document; `refuse` ends with an error for a type that no table has. */
  def nodeOf(of: DataType, refuse: String => Nothing): JsonNode = {
    def text(name: String): JsonNode = Json.textNode(name)
    def tagged(tag: String, value: JsonNode): JsonNode = Json.node().set[JsonNode](tag, value)
    of match {
      case BooleanType                                        => text("boolean")
      case ByteType                                           => text("byte")
      case ShortType                                          => text("short")
      case IntegerType                                        => text("int")
      case LongType                                           => text("long")
      case FloatType                                          => text("float")
      case DoubleType                                         => text("double")
      case DateType                                           => text("date")
      case TimestampType                                      => text("timestamp")
      case TimestampNTZType                                   => text("timestamp_ntz")
      case BinaryType                                         => text("binary")
      case string: StringType if string.sql == StringType.sql => text("string")
      case string: StringType                                 => refuse(s"collations and lengths of strings (${string.sql})")
      case decimal: DecimalType                               => tagged("decimal", Json.node().put("precision", decimal.precision).put("scale", decimal.scale))
      case array: ArrayType                                   => tagged("array", nodeOf(array.elementType, refuse))
      case map: MapType                                       => tagged("map", Json.list().add(nodeOf(map.keyType, refuse)).add(nodeOf(map.valueType, refuse)))
      case struct: StructType =>
        val fields = Json.list()
        struct.fields.foreach { field =>
          fields.addObject().put("name", field.name).set[JsonNode]("type", nodeOf(field.dataType, refuse))
        }
        tagged("struct", fields)
      case other => refuse(s"values of the type ${other.sql}")
    }
  }

  /** The reverse of `nodeOf`; parts of nested types may be null. */
  def typeOf(node: JsonNode): DataType =
    if (node.isTextual) plain(node.asText())
    else if (node.has("decimal")) DecimalType(node.path("decimal").path("precision").asInt(), node.path("decimal").path("scale").asInt())
    else if (node.has("array")) ArrayType(typeOf(node.path("array")), containsNull = true)
    else if (node.has("map")) MapType(typeOf(node.path("map").get(0)), typeOf(node.path("map").get(1)), valueContainsNull = true)
    else if (node.has("struct")) {
      val fields = node.path("struct")
      StructType((0 until fields.size).map(at => StructField(fields.get(at).path("name").asText(), typeOf(fields.get(at).path("type")), nullable = true)))
    } else unknown(node.toString)

  private def plain(name: String): DataType = name match {
    case "boolean"       => BooleanType
    case "byte"          => ByteType
    case "short"         => ShortType
    case "int"           => IntegerType
    case "long"          => LongType
    case "float"         => FloatType
    case "double"        => DoubleType
    case "date"          => DateType
    case "timestamp"     => TimestampType
    case "timestamp_ntz" => TimestampNTZType
    case "string"        => StringType
    case "binary"        => BinaryType
    case other           => unknown(other)
  }

  private def unknown(what: String): Nothing =
    throw AndironException.of(ErrorCode.TableFormat, s"a table has a column of the type $what, which this release does not know: use a later release", null)

  /** Bytes of a value in a record; 0 for a variable number. */
  def width(of: DataType): Int = of match {
    case BooleanType | ByteType                                      => 1
    case ShortType                                                   => 2
    case IntegerType | FloatType | DateType                          => 4
    case LongType | DoubleType | TimestampType | TimestampNTZType    => 8
    case decimal: DecimalType if decimal.precision <= LongDigits     => 8
    case _: DecimalType                                              => 16
    case _                                                           => 0
  }

  /** Whether values are in one of Spark's unsafe forms. */
  def isNested(of: DataType): Boolean = of match {
    case _: ArrayType | _: MapType | _: StructType => true
    case _                                         => false
  }

  /** The most digits of a decimal that 64 bits hold. */
  val LongDigits = 18
}
