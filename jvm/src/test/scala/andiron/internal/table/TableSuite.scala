package andiron.internal.table

import java.nio.file.{Files, Path}

import scala.util.Random

import andiron._
import andiron.testing.SuiteRunner
import andiron.testing.Sparks._

import org.apache.spark.sql.{DataFrame, Encoders, Row}
import org.apache.spark.sql.functions.{col, lit, udf}
import org.junit.runner.RunWith
import org.scalatest.funsuite.AnyFunSuite

final case class Feature(path: String, browser: String, added: Int, flags: Seq[String])

/** Publishing, and lookups on the driver and in tasks, on a real Spark. */
@RunWith(classOf[SuiteRunner])
class TableSuite extends AnyFunSuite with TableSpark {
  private def features(rows: Feature*): DataFrame = spark.createDataFrame(rows)

  private def filesOf(table: Table): Seq[Path] = {
    val data = java.nio.file.Paths.get(java.net.URI.create(table.uri)).resolve("data")
    if (!Files.isDirectory(data)) Nil
    else {
      val children = Files.newDirectoryStream(data)
      try {
        var all = Vector.empty[Path]
        children.forEach(child => all :+= child)
        all.sorted
      } finally children.close()
    }
  }

  private def code(body: => Any): Int = causeOf[AndironException](intercept[Throwable](body)).code

  test("versions are published, listed, and looked up on the driver") {
    val table = newTable()
    assert(table.versions.isEmpty && code(table.schema) == ErrorCode.UnknownVersion)
    table.publish(features(Feature("a", "firefox", 1, Seq("x")), Feature("b", "chrome", 2, Nil), Feature("c", "chrome", 3, null)), "one", key = Seq("path", "browser"))
    table.publish(features(Feature("a", "firefox", 1, Seq("x")), Feature("b", "chrome", 20, Seq("y", "z")), Feature("d", "edge", 4, Nil)), "two")
    assert(table.versions == Seq("one", "two") && table.key == Seq("path", "browser") && table.schema.fieldNames.toSeq == Seq("path", "browser", "added", "flags"))
    assert(table.get("one", "a", "firefox").map(_.toSeq).contains(Seq("a", "firefox", 1, Seq("x"))))
    assert(table.get("one", "b", "chrome").map(_.getInt(2)).contains(2) && table.get("two", "b", "chrome").map(_.getAs[Int]("added")).contains(20))
    assert(table.get("one", "c", "chrome").exists(_.isNullAt(3)) && table.get("two", "c", "chrome").isEmpty)
    assert(table.get("one", "d", "edge").isEmpty && table.get("two", "d", "edge").isDefined && table.get("two", "a", "chrome").isEmpty)
    assert(table.get("two", "a", null).isEmpty)
    assert(code(table.get("three", "a", "firefox")) == ErrorCode.UnknownVersion && code(table.get("two", "a")) == ErrorCode.BadArgument)
    // Another object reads the same from the files.
    val again = VersionedData.table(spark, table.uri)
    assert(again.versions == Seq("one", "two") && again.get("two", "d", "edge").map(_.getInt(2)).contains(4))
    assert(stats(spark)("leases") == 0)
  }

  /** Rows of a version with random changes to the one before. */
  private def changed(rows: Map[Long, Long], random: Random, keys: Int): Map[Long, Long] = {
    val kept = rows.filter(_ => random.nextInt(20) > 0).map { case (key, value) => key -> (if (random.nextInt(10) == 0) random.nextLong() else value) }
    kept ++ Seq.fill(keys / 50)(random.nextInt(keys).toLong -> random.nextLong())
  }

  test("every row of every version is what was published, whatever order rows name versions in") {
    val random = new Random(3)
    val table = newTable()
    val keys = 4000
    var rows = Map.empty[Long, Long]
    val all = (0 until 8).map { version =>
      rows = if (version == 0) (0 until keys / 2).map(key => key.toLong -> random.nextLong()).toMap else if (version == 5) rows else changed(rows, random, keys)
      val frame = spark.createDataFrame(rows.toSeq).toDF("k", "v").repartition(3)
      table.publish(frame, s"v$version", Seq("k"), None, isBase = version == 6, shards = 8)
      rows
    }
    val asked = spark.range(0, 8L * keys, 1, 6).select((col("id") * 7919 % keys).as("k"), (col("id") * 104729 % 8).as("n"))
    val named = asked.withColumn("version", org.apache.spark.sql.functions.concat(lit("v"), col("n").cast("string")))
    val found = named.mapWithVersion(table, col("version")) { (row: Row, version: TableVersion) =>
      val key = row.getLong(0)
      (key, row.getLong(1), version.get(key).map(_.getLong(1)))
    }(Encoders.product[(Long, Long, Option[Long])]).collect()
    assert(found.length == 8 * keys)
    found.foreach { case (key, version, value) => assert(value == all(version.toInt).get(key), s"$key in v$version") }
    assert(stats(spark)("leases") == 0)
  }

  test("a publish writes what differs, and a version without a change no segment") {
    val table = newTable()
    val first = spark.range(20000).select(col("id"), (col("id") * 3).as("v"), lit("some text that makes rows longer").as("text"))
    table.publish(first, "first", Seq("id"))
    val base = filesOf(table).map(Files.size(_)).sum
    val before = filesOf(table).size
    table.publish(first, "same")
    assert(filesOf(table).size == before)
    table.publish(first.withColumn("v", col("v") + (col("id") % 1000 === 0).cast("int")), "some")
    val delta = filesOf(table).map(Files.size(_)).sum - base
    assert(delta > 0 && delta < base / 200, s"$delta of $base bytes")
    assert(table.get("same", 5000L).map(_.getLong(1)).contains(15000L) && table.get("some", 5000).map(_.getLong(1)).contains(15001L))
  }

  test("a key that occurs twice, or is null, is refused by name, and nothing is published") {
    val table = newTable()
    val twice = intercept[TableException](table.publish(spark.range(100).select((col("id") % 99).as("id")), "v", Seq("id")))
    assert(twice.code == ErrorCode.DuplicateKeys && twice.getMessage.contains("0"), twice)
    val nulls = spark.range(10).select(udf((id: Long) => if (id == 7) None else Some(id)).apply(col("id")).as("id"))
    assert(intercept[TableException](table.publish(nulls, "v", Seq("id"))).code == ErrorCode.NullKey)
    assert(code(table.publish(spark.range(1).toDF(), "v", Seq("none"))) == ErrorCode.TableSchema)
    assert(code(table.publish(spark.range(1).toDF(), "v")) == ErrorCode.BadArgument)
    assert(table.versions.isEmpty && filesOf(table).isEmpty)
    table.publish(spark.range(10).toDF(), "v", Seq("id"))
    assert(code(table.publish(spark.range(10).toDF(), "v")) == ErrorCode.TableConflict)
    assert(code(table.publish(spark.range(10).withColumn("x", lit(1)), "w", Seq("x"))) == ErrorCode.TableSchema)
    assert(table.versions == Seq("v"))
  }

  test("columns are added, dropped and widened; another change needs a base") {
    val table = newTable()
    table.publish(spark.range(100).select(col("id"), col("id").cast("int").as("n"), lit("x").as("gone")), "one", Seq("id"))
    val files = filesOf(table).size
    val next = spark.range(100).select(col("id"), col("id").cast("int").cast("long").as("n"), lit(null).cast("string").as("more"))
    table.publish(next, "two")
    assert(filesOf(table).size == files, "a new column without values rewrites no row")
    assert(table.get("one", 5).map(_.toSeq).contains(Seq(5L, 5, "x")) && table.get("two", 5).map(_.toSeq).contains(Seq(5L, 5L, null)))
    table.publish(next.withColumn("more", col("id").cast("string")), "three")
    assert(table.get("three", 5).map(_.toSeq).contains(Seq(5L, 5L, "5")) && table.get("two", 5).exists(_.isNullAt(2)))
    val other = spark.range(100).select(col("id"), lit("text").as("n"))
    assert(code(table.publish(other, "four")) == ErrorCode.TableSchema)
    table.publish(other, "four", Nil, None, isBase = true, shards = 0)
    assert(table.get("four", 5).map(_.toSeq).contains(Seq(5L, "text")) && table.get("one", 5).map(_.getInt(1)).contains(5))
  }

  test("a null in a column that is not nullable is refused, and a column may become nullable") {
    val table = newTable()
    val whole = spark.range(100).select(col("id"), (col("id") * 3).as("n"), lit("x").as("text"))
    assert(!whole.schema("n").nullable || !whole.schema("text").nullable)
    table.publish(whole, "one", Seq("id"))
    val files = filesOf(table).size
    val gaps = whole.select(col("id"), col("n"), org.apache.spark.sql.functions.when(col("id") =!= 7, col("text")).as("text"))
    table.publish(gaps, "two")
    assert(filesOf(table).size == files + 1 && table.get("two", 7).exists(_.isNullAt(2)))
    assert((0 until 100).forall(id => table.get("one", id).map(_.toSeq).contains(Seq(id.toLong, id * 3L, "x"))))
    assert((0 until 100).filter(_ != 7).forall(id => table.get("two", id).map(_.toSeq).contains(Seq(id.toLong, id * 3L, "x"))))
    // Rows whose schema is wrong about nulls: Spark's own check comes first.
    val fresh = newTable()
    val error = intercept[Throwable](fresh.publish(spark.createDataFrame(gaps.rdd, whole.schema), "v", Seq("id")))
    assert(fresh.versions.isEmpty && filesOf(fresh).isEmpty, error)
  }

  test("an empty version has no row") {
    val table = newTable()
    table.publish(spark.range(0).toDF(), "none", Seq("id"))
    assert(table.get("none", 1).isEmpty)
    table.publish(spark.range(3).toDF(), "three")
    table.publish(spark.range(0).toDF(), "none again")
    assert(table.get("three", 1).isDefined && table.get("none again", 1).isEmpty && table.get("none", 1).isEmpty)
  }

  test("a damaged segment or manifest is a typed error that names it") {
    val table = newTable()
    table.publish(spark.range(1000).toDF(), "one", Seq("id"))
    val file = filesOf(table).head
    val bytes = Files.readAllBytes(file)
    bytes(bytes.length / 2) = (bytes(bytes.length / 2) ^ 1).toByte
    Files.write(file, bytes)
    val flipped = causeOf[AndironException](intercept[Throwable](VersionedData.table(spark, table.uri).get("one", 1)))
    assert(flipped.code == ErrorCode.ChecksumMismatch && flipped.getMessage.contains(file.getFileName.toString) && flipped.getMessage.contains(table.uri), flipped)
    Files.write(file, java.util.Arrays.copyOf(bytes, bytes.length / 2))
    assert(Set(ErrorCode.SourceSizeMismatch, ErrorCode.ChecksumMismatch)(code(VersionedData.table(spark, table.uri).get("one", 1))))
    val manifest = java.nio.file.Paths.get(java.net.URI.create(table.uri)).resolve("_andiron/v/00000000000000000000")
    val text = new String(Files.readAllBytes(manifest), "UTF-8")
    Files.write(manifest, text.replace("\"one\"", "\"two\"").getBytes("UTF-8"))
    val broken = intercept[TableException](VersionedData.table(spark, table.uri))
    assert(broken.code == ErrorCode.TableDamaged && broken.getMessage.contains("00000000000000000000"), broken)
  }

  test("a row is released with its version, and its copy stays") {
    val table = newTable()
    table.publish(spark.range(10).select(col("id"), col("id").cast("string").as("text")), "one", Seq("id"))
    val cursor = new TableCursor(table.snapshot)
    val version = cursor.version("one")
    val row = version.getOrNull(3)
    val copy = row.copy()
    assert(row.getString(1) == "3" && row.getAs[String]("text") == "3" && version.contains(9) && !version.contains(10))
    cursor.close()
    assert(code(row.getString(1)) == ErrorCode.Released && code(version.get(3)) == ErrorCode.Released && copy.getString(1) == "3")
    val out = new java.io.ObjectOutputStream(new java.io.ByteArrayOutputStream)
    intercept[java.io.NotSerializableException](out.writeObject(row))
  }

  test("two publishers of one parent: one is a typed error, and nothing is lost") {
    val table = newTable()
    table.publish(spark.range(10).toDF(), "base", Seq("id"))
    val other = VersionedData.table(spark, table.uri)
    val slow = udf { (id: Long) =>
      if (id == 5) TableSuite.pause()
      id
    }
    val result = new java.util.concurrent.CompletableFuture[Throwable]
    val publisher = new Thread(() => result.complete(intercept[Throwable](table.publish(spark.range(12).select(slow(col("id")).as("id")), "slow"))): Unit)
    publisher.start()
    TableSuite.reached.await()
    other.publish(spark.range(11).toDF(), "fast")
    TableSuite.goOn.countDown()
    val error = causeOf[TableException](result.get())
    assert(error.code == ErrorCode.TableConflict, error)
    table.refresh()
    assert(table.versions == Seq("base", "fast") && table.get("fast", 10).isDefined)
    table.publish(spark.range(12).toDF(), "slow")
    assert(table.versions == Seq("base", "fast", "slow") && table.get("slow", 11).isDefined)
  }
}

private object TableSuite {
  val reached = new java.util.concurrent.CountDownLatch(1)
  val goOn = new java.util.concurrent.CountDownLatch(1)

  def pause(): Unit = {
    reached.countDown()
    goOn.await()
  }
}
