package andiron.internal.table

import andiron._
import andiron.testing.Sparks._
import andiron.testing.SuiteRunner

import org.apache.spark.sql.DataFrame
import org.apache.spark.sql.functions.{col, lit, repeat}
import org.junit.runner.RunWith
import org.scalatest.funsuite.AnyFunSuite

final case class DoubleKey(k: Double, name: String)
final case class FloatKey(k: Float, name: String)
final case class TextKey(k: String, number: Int)
final case class BytesKey(k: Array[Byte], number: Int)
final case class TwoKeys(a: String, b: Option[Int], value: Int)
final case class Blob(id: Long, bytes: Array[Byte])

/** Keys and records at their limits. */
@RunWith(classOf[SuiteRunner])
class TableKeysSuite extends AnyFunSuite with TableSpark {
  override protected def master: String = "local[2]"

  private def published(rows: DataFrame, key: String*): Table = {
    val table = newTable()
    table.publish(rows, "v", key, None, isBase = false, shards = 2)
    table
  }

  private def refused(code: Int, rows: DataFrame, key: String*)(parts: String*): Unit = {
    val table = newTable()
    val error = causeOf[TableException](intercept[Throwable](table.publish(rows, "v", key)))
    assert(error.code == code, error)
    (parts :+ table.uri).foreach(part => assert(error.getMessage.contains(part), s"${error.getMessage} does not name $part"))
    table.refresh()
    assert(table.versions.isEmpty)
  }

  test("a float key has one NaN and one zero") {
    val odd = java.lang.Double.longBitsToDouble(0x7ff800000000beefL)
    val doubles = published(spark.createDataFrame(Seq(DoubleKey(odd, "nan"), DoubleKey(-0.0, "zero"), DoubleKey(1.5, "more"), DoubleKey(Double.NegativeInfinity, "least"))), "k")
    assert(Seq(Double.NaN, odd, 0.0, -0.0, 1.5, Double.NegativeInfinity).map(key => doubles.get("v", key).map(_.getString(1))) ==
      Seq("nan", "nan", "zero", "zero", "more", "least").map(Option(_)))
    assert(doubles.get("v", 2.5).isEmpty && doubles.get("v", 1.5f).isDefined)
    val floats = published(spark.createDataFrame(Seq(FloatKey(Float.NaN, "nan"), FloatKey(-0.0f, "zero"), FloatKey(0.1f, "tenth"))), "k")
    assert(Seq(Float.NaN, 0.0f, 0.1f).map(key => floats.get("v", key).map(_.getString(1))) == Seq("nan", "zero", "tenth").map(Option(_)))
    refused(ErrorCode.DuplicateKeys, spark.createDataFrame(Seq(DoubleKey(0.0, "a"), DoubleKey(-0.0, "b"))), "k")("more than once: 0;")
    refused(ErrorCode.DuplicateKeys, spark.createDataFrame(Seq(DoubleKey(Double.NaN, "a"), DoubleKey(odd, "b"))), "k")("NaN")
  }

  test("a text key has 0 to 65,535 bytes") {
    val long = "ä" * 32767 + "x"
    val table = published(spark.createDataFrame(Seq(TextKey("", 1), TextKey(long, 2), TextKey("\u0000", 3), TextKey("a", 4))), "k")
    assert(Seq("", long, "\u0000", "a").map(key => table.get("v", key).map(_.getInt(1))) == Seq(1, 2, 3, 4).map(Option(_)))
    assert(table.get("v", long).exists(_.getString(0) == long) && table.get("v", long + "x").isEmpty && table.get("v", "b").isEmpty)
    refused(ErrorCode.TableLimit, spark.createDataFrame(Seq(TextKey(long + "x", 1))), "k")("65535", "k = ä")
    // The parts of a key have it together, with two bytes for each length.
    val two = spark.range(1).select(repeat(lit("a"), 40000).as("a"), repeat(lit("b"), 30000).as("b"))
    refused(ErrorCode.TableLimit, two, "a", "b")("65535")
    val fits = published(spark.range(1).select(repeat(lit("a"), 65531 - 4).as("a"), lit("").as("b"), lit("").as("c")), "a", "b")
    assert(fits.get("v", "a" * 65527, "").isDefined)
  }

  test("a binary key is its bytes, and a value of another type is refused by name") {
    val all = Array.tabulate(256)(_.toByte)
    val table = published(spark.createDataFrame(Seq(BytesKey(Array.empty, 0), BytesKey(all, 1), BytesKey(Array(0), 2), BytesKey(Array(0, 0), 3))), "k")
    assert(Seq(Array.empty[Byte], all, Array[Byte](0), Array[Byte](0, 0)).map(key => table.get("v", key).map(_.getInt(1))) == (0 to 3).map(Option(_)))
    assert(table.get("v", Array[Byte](0, 0, 0)).isEmpty)
    for (wrong <- Seq("text", 1, 1.5)) {
      val error = causeOf[SettingException](intercept[Throwable](table.get("v", wrong)))
      assert(error.getMessage.contains("'k'") && error.getMessage.contains(wrong.getClass.getName), error)
    }
  }

  test("null and repeated keys are named, in keys of several columns") {
    val good = Seq(TwoKeys("a", Some(1), 1), TwoKeys("a", Some(2), 2), TwoKeys("", Some(1), 3))
    assert(published(spark.createDataFrame(good), "a", "b").get("v", "a", 2).map(_.getInt(2)).contains(2))
    refused(ErrorCode.NullKey, spark.createDataFrame(good :+ TwoKeys("n", None, 4)), "a", "b")("'b'")
    refused(ErrorCode.NullKey, spark.createDataFrame(good :+ TwoKeys(null, Some(1), 4)), "a", "b")("'a'")
    refused(ErrorCode.DuplicateKeys, spark.createDataFrame(good :+ TwoKeys("a", Some(2), 5)), "a", "b")("a", "2")
    refused(ErrorCode.TableSchema, spark.createDataFrame(good).withColumn("n", org.apache.spark.sql.functions.array(col("value"))), "n")()
    // A repeated key beside a parent is found as well.
    val table = published(spark.createDataFrame(good), "a", "b")
    assert(causeOf[TableException](intercept[Throwable](table.publish(spark.createDataFrame(good ++ good.take(1)), "w"))).code == ErrorCode.DuplicateKeys)
  }

  test("strings with a collation are refused") {
    if (spark.version.startsWith("4.")) {
      val rows = spark.sql("select 'a' collate UTF8_LCASE as k, 1 as n")
      refused(ErrorCode.TableSchema, rows, "k")("'k'", "collations")
      refused(ErrorCode.TableSchema, rows, "n")("'k'", "collations")
    } else refused(ErrorCode.TableSchema, spark.sql("select interval 1 year as k, 1 as n"), "n")("'k'")
  }

  test("records of 1 byte and of 100 MB lie in one version") {
    val large = 100 << 20
    val table = newTable()
    val rows = spark.createDataFrame(Seq(Blob(1, Array(7)), Blob(2, Array.empty), Blob(3, null)))
    val more = spark.range(4, 5).select(col("id"), repeat(lit("x"), large).cast("binary").as("bytes"))
    table.publish(rows.union(more), "v", Seq("id"), None, isBase = false, shards = 1)
    assert(table.get("v", 1).map(_.getAs[Array[Byte]](1).toSeq).contains(Seq[Byte](7)) && table.get("v", 2).exists(_.getAs[Array[Byte]](1).isEmpty))
    assert(table.get("v", 3).exists(_.isNullAt(1)))
    val found = table.get("v", 4).get.getAs[Array[Byte]](1)
    assert(found.length == large && found.head == 'x' && found.last == 'x')
    // The large record is not written again.
    table.publish(rows.limit(2).union(more), "w")
    assert(table.get("w", 3).isEmpty && table.get("w", 1).isDefined && table.get("v", 3).isDefined)
  }
}
