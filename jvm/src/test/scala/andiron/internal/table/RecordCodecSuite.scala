package andiron.internal.table

import java.nio.file.{Files, Paths}
import java.time.{Instant, LocalDate, LocalDateTime}

import scala.util.Random

import andiron.{AndironException, ErrorCode}
import andiron.internal.cache.Hold
import andiron.internal.util.Json
import andiron.testing.SuiteRunner

import com.fasterxml.jackson.databind.JsonNode
import org.apache.spark.andironshim.{PrivateTypes, TableInternals}
import org.apache.spark.sql.Row
import org.apache.spark.sql.types._
import org.apache.spark.unsafe.Platform
import org.apache.spark.unsafe.types.UTF8String
import org.junit.runner.RunWith
import org.scalatest.funsuite.AnyFunSuite

/** The record codec against the vectors that Rust's encoder has written, and against itself. */
@RunWith(classOf[SuiteRunner])
class RecordCodecSuite extends AnyFunSuite {
  private val hold = new Hold(this, () => "the record")

  private val project = Iterator.iterate(Paths.get("").toAbsolutePath)(_.getParent).takeWhile(_ != null)
    .find(directory => Files.exists(directory.resolve("settings.gradle"))).getOrElse(fail("tests run in a directory of the project"))

  private def vectors(name: String): JsonNode =
    Json.parse(new String(Files.readAllBytes(project.resolve("tests/vectors").resolve(name)), "UTF-8"))

  private def each(list: JsonNode): Seq[JsonNode] = (0 until list.size).map(list.get)

  private def hex(bytes: Array[Byte]): String = bytes.map(byte => f"$byte%02x").mkString

  private def unhex(text: String): Array[Byte] = text.grouped(2).map(Integer.parseInt(_, 16).toByte).toArray

  /** The internal value that a vector shows. */
  private def internal(of: DataType, shown: JsonNode): Any = if (shown.isNull) null else of match {
    case BooleanType            => shown.asBoolean()
    case ByteType               => shown.asText().toByte
    case ShortType              => shown.asText().toShort
    case IntegerType | DateType => shown.asText().toInt
    case FloatType              => java.lang.Float.intBitsToFloat(java.lang.Integer.parseUnsignedInt(shown.asText(), 16))
    case DoubleType             => java.lang.Double.longBitsToDouble(java.lang.Long.parseUnsignedLong(shown.asText(), 16))
    case decimal: DecimalType if decimal.precision <= 18 => Decimal.createUnsafe(shown.asText().toLong, decimal.precision, decimal.scale)
    case decimal: DecimalType   => Decimal(new java.math.BigDecimal(new java.math.BigInteger(shown.asText()), decimal.scale), decimal.precision, decimal.scale)
    case StringType             => UTF8String.fromBytes(unhex(shown.asText()))
    case BinaryType             => unhex(shown.asText())
    case _: ArrayType | _: MapType | _: StructType =>
      val bytes = unhex(shown.asText())
      TableInternals.pointed(of, inMemory(bytes), bytes.length)
    case _ => shown.asText().toLong
  }

  private def inMemory(bytes: Array[Byte]): Long = {
    val address = Platform.allocateMemory(math.max(8L, bytes.length.toLong))
    Platform.copyMemory(bytes, Platform.BYTE_ARRAY_OFFSET.toLong, null, address, bytes.length.toLong)
    address
  }

  private def columns(types: Seq[DataType], nullable: Boolean): IndexedSeq[TableColumn] =
    types.zipWithIndex.map { case (of, id) => TableColumn(id, s"c$id", of, nullable) }.toIndexedSeq

  test("keys have the bytes and hashes of Rust's") {
    each(vectors("table-keys.json")).foreach { vector =>
      val types = each(vector.path("types")).map(TableSchema.typeOf)
      assert(types.map(of => TableSchema.nodeOf(of, what => fail(what))) == each(vector.path("types")))
      val codec = new KeyCodec(columns(types, nullable = false), java.lang.Long.parseUnsignedLong(vector.path("seed").asText()), "t")
      val values = types.zip(each(vector.path("values"))).map { case (of, shown) => internal(of, shown) }
      val buffer = new RecordBuffer
      val bytes = codec.write(TableInternals.internalRow(values), types.indices.toArray, buffer)
      assert(hex(buffer.toArray) == vector.path("key").asText())
      val hash = codec.hash(buffer.array, 0, bytes)
      assert(f"$hash%016x" == vector.path("hash").asText(), vector)
      assert((hash >>> 58).toInt == vector.path("shardOf64").asInt())
      // A key stands in a record after its length.
      val padded = new Array[Byte](8 + RowLayout.padded(bytes))
      padded(4) = bytes.toByte
      padded(5) = (bytes >> 8).toByte
      System.arraycopy(buffer.array, 0, padded, 8, bytes)
      val address = inMemory(padded) + 8
      // Spark has no time for the least and greatest number of microseconds.
      val inRange = values.forall { case number: Long => number > -(1L << 60) && number < (1L << 60); case _ => true }
      types.indices.filter(_ => inRange).foreach { part =>
        val decoded = TableInternals.toExternal(types(part))(internal(types(part), vector.path("decoded").get(part)))
        assert(same(codec.read(part, address), decoded), s"$vector part $part")
      }
    }
  }

  test("records have the bytes of Rust's") {
    val all = vectors("table-rows.json")
    val schema = TableSchema.of(all.path("schema"))
    val key = each(all.path("key")).map(_.asInt())
    val writer = new RecordWriter(schema, key, 42, "t")
    val unsafe = TableInternals.unsafe(schema.toStruct)
    val others = schema.columns.filterNot(column => key.contains(column.id))
    assert(each(all.path("rows")).size >= 8)
    each(all.path("rows")).foreach { vector =>
      val values = others.zip(each(vector.path("values"))).map { case (column, shown) => internal(column.dataType, shown) }
      val buffer = new RecordBuffer
      writer.write(unsafe(TableInternals.internalRow(others.size.toLong +: values)), buffer)
      assert(hex(buffer.toArray) == vector.path("record").asText())
    }
  }

  private val everything = StructType(Seq(
    StructField("text", StringType, nullable = false), StructField("flag", BooleanType), StructField("b", ByteType), StructField("s", ShortType),
    StructField("i", IntegerType), StructField("l", LongType), StructField("f", FloatType), StructField("d", DoubleType), StructField("day", DateType),
    StructField("number", LongType, nullable = false), StructField("always", IntegerType, nullable = false), StructField("said", StringType, nullable = false),
    StructField("at", TimestampType), StructField("local", TimestampNTZType), StructField("small", DecimalType(9, 3)), StructField("wide", DecimalType(38, 10)),
    StructField("bytes", BinaryType), StructField("name", StringType),
    StructField("list", ArrayType(StringType)), StructField("map", MapType(StringType, DecimalType(30, 2))),
    StructField("inner", StructType(Seq(StructField("x", IntegerType), StructField("ys", ArrayType(DoubleType)))))))

  private def value(of: DataType, random: Random): Any = of match {
    case BooleanType => random.nextBoolean()
    case ByteType    => random.nextInt().toByte
    case ShortType   => random.nextInt().toShort
    case IntegerType => random.nextInt()
    case LongType    => random.nextLong()
    case FloatType   => Seq(Float.NaN, -0.0f, 0.0f, Float.MinPositiveValue, random.nextFloat())(random.nextInt(5))
    case DoubleType  => Seq(Double.NaN, -0.0, 0.0, Double.NegativeInfinity, random.nextDouble())(random.nextInt(5))
    case DateType    => LocalDate.ofEpochDay(random.nextInt(100000).toLong - 50000)
    case TimestampType    => Instant.ofEpochSecond(random.nextInt().toLong, random.nextInt(1000000) * 1000L)
    case TimestampNTZType => LocalDateTime.ofEpochSecond(random.nextInt().toLong, random.nextInt(1000000) * 1000, java.time.ZoneOffset.UTC)
    case decimal: DecimalType =>
      new java.math.BigDecimal(new java.math.BigInteger(decimal.precision * 3 % 120, random.self).multiply(java.math.BigInteger.valueOf(if (random.nextBoolean()) 1 else -1)), decimal.scale)
    case StringType           => random.alphanumeric.take(random.nextInt(20)).mkString + (if (random.nextBoolean()) "é\u0000" else "")
    case BinaryType           => Array.fill(random.nextInt(20))(random.nextInt().toByte)
    case ArrayType(element, _)   => Seq.fill(random.nextInt(4))(if (random.nextInt(5) == 0) null else value(element, random))
    case MapType(key, values, _) => Seq.fill(random.nextInt(4))(value(key, random) -> value(values, random)).toMap
    case StructType(fields)      => Row.fromSeq(fields.toSeq.map(field => if (random.nextInt(5) == 0) null else value(field.dataType, random)))
    case other                   => fail(other.sql)
  }

  private def same(a: Any, b: Any): Boolean = (a, b) match {
    case (a: Array[Byte], b: Array[Byte]) => a.sameElements(b)
    case (a: Double, b: Double)           => java.lang.Double.doubleToLongBits(a) == java.lang.Double.doubleToLongBits(b)
    case (a: Float, b: Float)             => java.lang.Float.floatToIntBits(a) == java.lang.Float.floatToIntBits(b)
    case (a: Row, b: Row)                 => a.length == b.length && a.toSeq.zip(b.toSeq).forall { case (x, y) => same(x, y) }
    case (a: scala.collection.Map[_, _], b: scala.collection.Map[_, _]) => a == b
    case (a: scala.collection.Seq[_], b: scala.collection.Seq[_])       => a.size == b.size && a.zip(b).forall { case (x, y) => same(x, y) }
    case (a: java.sql.Date, b: LocalDate)      => a.toLocalDate == b
    case (a: java.sql.Timestamp, b: Instant)   => a.toInstant == b
    case (a: java.math.BigDecimal, b: java.math.BigDecimal) => a.compareTo(b) == 0
    case _                                     => a == b
  }

  private def schemaOf(struct: StructType, id: Int): TableSchema = TableSchema.of(
    Json.node().put("id", id).set[JsonNode]("columns", {
      val all = TableSchema.columnsOf(struct, Set("text", "number"), "t")
      each(all).zipWithIndex.foreach { case (column, at) => column.asInstanceOf[com.fasterxml.jackson.databind.node.ObjectNode].put("id", at) }
      all
    }))

  private def rowOf(values: Seq[Any], struct: StructType): PrivateTypes.InternalRow =
    TableInternals.unsafe(struct)(TableInternals.toInternal(struct)(Row.fromSeq(values)).asInstanceOf[PrivateTypes.InternalRow])

  test("rows of all types, with nulls, NaN, -0.0 and empty texts, are read as they were written") {
    val schema = schemaOf(everything, 5)
    val key = Seq(0, 9)
    val random = new Random(7)
    val writer = new RecordWriter(schema, key, 1, "t")
    val reader = new RowReader(schema, Seq(schema), key, writer.codec, e => throw e)
    for (_ <- 1 to 2000) {
      val values = everything.fields.toSeq.map(field => if (field.nullable && random.nextInt(4) == 0) null else value(field.dataType, random))
      val buffer = new RecordBuffer
      writer.write(rowOf(values, everything), buffer)
      assert(buffer.length % 8 == 0)
      val address = inMemory(buffer.toArray)
      val row = reader.row(this, hold, address)
      values.indices.foreach(i => assert(same(row.get(i), values(i)), s"${everything(i)}: ${row.get(i)} is not ${values(i)}"))
      assert(values.indices.forall(i => row.isNullAt(i) == (values(i) == null)))
      if (values(5) != null) assert(row.getLong(5) == values(5))
      assert(same(row.getAs[Any]("name"), values(everything.fieldIndex("name"))) && same(row.copy(), Row.fromSeq(values)))
      val lookup = new RecordBuffer
      val bytes = writer.codec.write(writer.codec.rowOf(Seq(values.head, values(9))).get, Array(0, 1), lookup)
      assert(writer.codec.hash(lookup.array, 0, bytes) == writer.hash)
      Platform.freeMemory(address)
    }
  }

  test("columns that are added, dropped, renamed and widened are read from older records") {
    val old = TableSchema(0, IndexedSeq(
      TableColumn(0, "k", LongType, nullable = false), TableColumn(1, "n", IntegerType, nullable = true), TableColumn(2, "f", FloatType, nullable = true),
      TableColumn(3, "gone", StringType, nullable = true), TableColumn(4, "money", DecimalType(9, 2), nullable = true)))
    val next = TableSchema(1, IndexedSeq(
      TableColumn(4, "money", DecimalType(20, 2), nullable = true), TableColumn(5, "more", StringType, nullable = true), TableColumn(0, "key", LongType, nullable = false),
      TableColumn(1, "count", LongType, nullable = true), TableColumn(2, "f", DoubleType, nullable = true)))
    val writer = new RecordWriter(old, Seq(0), 0, "t")
    val reader = new RowReader(next, Seq(old, next), Seq(0), writer.codec, e => throw e)
    val buffer = new RecordBuffer
    writer.write(rowOf(Seq(7L, -3, 1.5f, "x", new java.math.BigDecimal("12.50")), old.toStruct), buffer)
    val row = reader.row(this, hold, inMemory(buffer.toArray))
    assert(row.toSeq == Seq(new java.math.BigDecimal("12.50"), null, 7L, -3L, 1.5))
    assert(row.getLong(3) == -3L && row.getDouble(4) == 1.5 && row.fieldIndex("count") == 3)
  }

  test("a column that becomes nullable is read from older records, and until then has no null bit and no null") {
    def schema(id: Int, nullable: Boolean) = TableSchema(id, IndexedSeq(
      TableColumn(0, "k", LongType, nullable = false), TableColumn(1, "n", LongType, nullable), TableColumn(2, "text", StringType, nullable = true),
      TableColumn(3, "b", ByteType, nullable = false)))
    val (old, next) = (schema(0, nullable = false), schema(1, nullable = true))
    val (before, after) = (new RecordWriter(old, Seq(0), 0, "t"), new RecordWriter(next, Seq(0), 0, "t"))
    val reader = new RowReader(next, Seq(old, next), Seq(0), after.codec, e => throw e)
    def read(writer: RecordWriter, struct: StructType, values: Any*) = {
      val buffer = new RecordBuffer
      writer.write(rowOf(values, struct), buffer)
      reader.row(this, hold, inMemory(buffer.toArray)).toSeq
    }
    Seq(Seq[Any](7L, 8L, null, 1.toByte), Seq[Any](7L, -1L, "text", -1.toByte)).foreach { values =>
      assert(read(before, old.toStruct, values: _*) == values && read(after, next.toStruct, values: _*) == values)
    }
    val gap = Seq[Any](7L, null, "text", 1.toByte)
    assert(read(after, next.toStruct, gap: _*) == gap)
    val error = intercept[AndironException](read(before, old.toStruct, gap: _*))
    assert(error.code == ErrorCode.TableSchema && error.getMessage.contains("'n'") && error.getMessage.contains("k = 7"), error)
    val longs = StructType((0 to 12).map(number => StructField(s"c$number", LongType, nullable = false)))
    val buffer = new RecordBuffer
    val wide = TableSchema(0, longs.fields.zipWithIndex.map { case (field, id) => TableColumn(id, field.name, field.dataType, nullable = false) }.toIndexedSeq)
    new RecordWriter(wide, Seq(0), 0, "t").write(rowOf(Seq.fill[Any](13)(1L), longs), buffer)
    assert(buffer.length == 112)
  }

  test("a key has at most 65,535 bytes, and no null") {
    val schema = TableSchema(0, IndexedSeq(TableColumn(0, "k", StringType, nullable = false)))
    val writer = new RecordWriter(schema, Seq(0), 0, "t")
    val buffer = new RecordBuffer
    writer.write(rowOf(Seq("x" * 65535), schema.toStruct), buffer)
    assert(buffer.length == 8 + 65536)
    val row = new RowReader(schema, Seq(schema), Seq(0), writer.codec, e => throw e).row(this, hold, inMemory(buffer.toArray))
    assert(row.getString(0) == "x" * 65535)
    val long = intercept[AndironException](writer.write(rowOf(Seq("x" * 65536), schema.toStruct), new RecordBuffer))
    assert(long.code == ErrorCode.TableLimit && long.getMessage.contains("k = xxx"))
    val none = intercept[AndironException](writer.write(rowOf(Seq(null), StructType(Seq(StructField("k", StringType)))), new RecordBuffer))
    assert(none.code == ErrorCode.NullKey && none.getMessage.contains("'k'"))
  }

  test("types without a place in a table are refused, with the column's name") {
    Seq(CalendarIntervalType, NullType, DayTimeIntervalType(), ArrayType(YearMonthIntervalType())).foreach { of =>
      val error = intercept[AndironException](TableSchema.columnsOf(StructType(Seq(StructField("odd", of))), Set.empty, "t"))
      assert(error.code == ErrorCode.TableSchema && error.getMessage.contains("'odd'"), error)
    }
  }

  test("a lookup's values of another type are an error, and values outside the column's range are no key") {
    def codec(of: DataType) = new KeyCodec(columns(Seq(of), nullable = false), 0, "t")
    assert(codec(IntegerType).rowOf(Seq(1L << 40)).isEmpty && codec(ByteType).rowOf(Seq(7)).isDefined && codec(LongType).rowOf(Seq(null)).isEmpty)
    assert(codec(DecimalType(4, 1)).rowOf(Seq(BigDecimal("1.25"))).isEmpty && codec(DecimalType(4, 1)).rowOf(Seq(BigDecimal("1.20"))).isDefined)
    Seq(LongType -> "x", StringType -> 1, BooleanType -> 1, DoubleType -> "1").foreach { case (of, value) =>
      val error = intercept[AndironException](codec(of).rowOf(Seq(value)))
      assert(error.code == ErrorCode.BadArgument && error.getMessage.contains("'c0'"), error)
    }
    assert(intercept[AndironException](codec(LongType).rowOf(Seq(1L, 2L))).getMessage.contains("2 values"))
  }

  test("a row that was released is an error") {
    val schema = TableSchema(0, IndexedSeq(TableColumn(0, "k", LongType, nullable = false), TableColumn(1, "v", IntegerType, nullable = true)))
    val writer = new RecordWriter(schema, Seq(0), 0, "t")
    val buffer = new RecordBuffer
    writer.write(rowOf(Seq[Any](7L, 8), schema.toStruct), buffer)
    val own = new Hold(this, () => "the version")
    val row = new RowReader(schema, Seq(schema), Seq(0), writer.codec, e => throw e).row(this, own, inMemory(buffer.toArray))
    assert(row.getInt(1) == 8)
    own.release()
    assert(intercept[AndironException](row.getInt(1)).code == ErrorCode.Released)
    assert(intercept[AndironException](row.get(0)).code == ErrorCode.Released)
  }
}
