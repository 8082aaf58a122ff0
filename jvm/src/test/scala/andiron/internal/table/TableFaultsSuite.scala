package andiron.internal.table

import java.nio.channels.FileChannel
import java.nio.file.{Files, Path, StandardOpenOption}
import java.util.concurrent.{CompletableFuture, CountDownLatch, TimeUnit}

import andiron._
import andiron.testing.Sparks._
import andiron.testing.SuiteRunner

import org.apache.spark.sql.{DataFrame, Encoders, Row}
import org.apache.spark.sql.functions.{col, concat, lit, repeat, udf}
import org.junit.runner.RunWith
import org.scalatest.funsuite.AnyFunSuite

/** Damage to a table's files, publishers that meet, and publishers that end early. */
@RunWith(classOf[SuiteRunner])
class TableFaultsSuite extends AnyFunSuite with TableSpark {
  override protected def settings: Seq[(String, String)] = Seq(AndironConf.Directory.key -> directory.resolve("cache").toString)

  private def path(table: Table, name: String): Path = java.nio.file.Paths.get(java.net.URI.create(table.uri)).resolve(name)

  private def children(folder: Path): Seq[Path] = if (Files.isDirectory(folder)) folder.toFile.listFiles().toSeq.map(_.toPath).sorted else Nil

  private def segments(table: Table): Seq[Path] = children(path(table, "data"))

  private def manifest(table: Table, ordinal: Int): Path = path(table, f"_andiron/v/$ordinal%020d")

  private def error(body: => Any): AndironException = causeOf[AndironException](intercept[Throwable](body))

  private def names(error: AndironException, parts: String*): Unit =
    parts.foreach(part => assert(error.getMessage.contains(part), s"${error.getMessage} does not name $part"))

  private def texts(rows: Long): DataFrame = spark.range(rows).select(col("id"), concat(col("id").cast("string"), repeat(lit("x"), 200)).as("text"))

  private def allFiles(folder: Path): Seq[Path] = children(folder).flatMap(child => if (Files.isDirectory(child)) allFiles(child) else Seq(child))

  test("a segment that is truncated while it is mapped is a TableException, and the process goes on") {
    val table = newTable()
    val rows = 60000L
    table.publish(texts(rows), "one", Seq("id"), None, isBase = false, shards = 1)
    def lookups(): Long = spark.range(0, rows, 1, 3).select(col("id"), lit("one").as("version")).mapWithVersion(table, col("version")) { (row: Row, version: TableVersion) =>
      version.get(row.getLong(0)).map(_.getString(1).length.toLong).getOrElse(0L)
    }(Encoders.scalaLong).collect().sum
    assert(lookups() > rows * 200)
    val kept = allFiles(directory.resolve("cache")).filter(file => Files.size(file) == Files.size(segments(table).head))
    assert(kept.size == 1, kept)
    val channel = FileChannel.open(kept.head, StandardOpenOption.WRITE)
    try channel.truncate(8192): Unit
    finally channel.close()
    for (_ <- 1 to 3) {
      val failure = error(lookups())
      assert(failure.isInstanceOf[TableException] && failure.code == ErrorCode.TableDamaged, failure)
      names(failure, table.uri, "'one'", "restart the executor")
    }
    val other = newTable()
    other.publish(texts(100), "one", Seq("id"))
    assert(other.get("one", 7).exists(_.getString(1).startsWith("7x")) && stats(spark)("leases") == 0)
  }

  test("a segment of another table, or one that was cut, names table and file, and no version is read from it") {
    val (table, other) = (newTable(), newTable())
    Seq(table, other).foreach(_.publish(texts(500), "one", Seq("id"), None, isBase = false, shards = 1))
    Files.write(segments(table).head, Files.readAllBytes(segments(other).head))
    val foreign = error(VersionedData.table(spark, table.uri).get("one", 1))
    assert(foreign.code == ErrorCode.ChecksumMismatch, foreign)
    names(foreign, table.uri, segments(table).head.getFileName.toString)
    // The failure of a load is remembered for seconds, so another table shows the next one.
    val lost = newTable()
    lost.publish(texts(500), "one", Seq("id"), None, isBase = false, shards = 1)
    Files.delete(segments(lost).head)
    val missing = error(VersionedData.table(spark, lost.uri).get("one", 1))
    assert(missing.code == ErrorCode.SourceMissing, missing)
    names(missing, lost.uri)
  }

  test("a manifest or description with a flipped byte, or of another table, names table, file and version") {
    val (table, other) = (newTable(), newTable())
    Seq(table, other).foreach { each =>
      each.publish(texts(50), "first", Seq("id"))
      each.publish(texts(60), "second")
    }
    val own = Files.readAllBytes(manifest(table, 1))
    Files.write(manifest(table, 1), Files.readAllBytes(manifest(other, 1)))
    val foreign = error(VersionedData.table(spark, table.uri))
    assert(foreign.isInstanceOf[TableException] && foreign.code == ErrorCode.TableDamaged, foreign)
    names(foreign, table.uri, "second", "_andiron/v/00000000000000000001")
    // An object that has read the versions before does not read them again.
    assert(table.get("second", 55).isDefined)
    for (at <- Seq(0, own.length / 2, own.length - 2)) {
      val flipped = own.clone()
      flipped(at) = (flipped(at) ^ 1).toByte
      Files.write(manifest(table, 1), flipped)
      val broken = error(VersionedData.table(spark, table.uri))
      assert(broken.code == ErrorCode.TableDamaged, broken)
      names(broken, table.uri, "_andiron/v/00000000000000000001")
    }
    Files.write(manifest(table, 1), own)
    val description = Files.readAllBytes(path(table, "_andiron/table"))
    Files.write(path(table, "_andiron/table"), Files.readAllBytes(path(other, "_andiron/table")))
    assert(error(VersionedData.table(spark, table.uri)).code == ErrorCode.TableDamaged)
    description(description.length / 2) = (description(description.length / 2) ^ 1).toByte
    Files.write(path(table, "_andiron/table"), description)
    names(error(VersionedData.table(spark, table.uri)), table.uri, "_andiron/table")
  }

  test("publishers that meet: each version that a call published has its rows, and the others are 507") {
    val first = newTable()
    first.publish(texts(20), "base", Seq("id"))
    val tables = Seq.fill(3)(VersionedData.table(spark, first.uri))
    val outcomes = for (round <- 1 to 4) yield {
      val start = new CountDownLatch(1)
      val runs = tables.zipWithIndex.map { case (table, publisher) =>
        val done = new CompletableFuture[Either[AndironException, String]]
        val name = s"r$round-p$publisher"
        val run = new Thread(() => {
          start.await()
          done.complete(
            try {
              table.publish(texts(20L + 10 * round + publisher), name)
              Right(name)
            } catch { case e: AndironException => Left(e) }): Unit
        })
        run.start()
        done
      }
      start.countDown()
      runs.map(_.get(120, TimeUnit.SECONDS))
    }
    first.refresh()
    val published = outcomes.flatten.collect { case Right(name) => name }
    assert(first.versions.toSet == published.toSet + "base" && outcomes.forall(_.exists(_.isRight)))
    outcomes.flatten.collect { case Left(e) => e }.foreach(e => assert(e.code == ErrorCode.TableConflict, e))
    published.foreach { name =>
      val numbers = name.drop(1).split("-p").map(_.toInt)
      val rows = 20L + 10 * numbers(0) + numbers(1)
      assert(first.get(name, rows - 1).isDefined && first.get(name, rows).isEmpty, name)
    }
  }

  test("a publish whose job is cancelled leaves no version, and the next one succeeds") {
    val table = newTable()
    table.publish(texts(100), "base", Seq("id"))
    val before = segments(table)
    val reached = TableFaultsSuite.reached
    val slow = udf { (id: Long) =>
      if (id == 50) TableFaultsSuite.hang()
      id
    }
    val result = new CompletableFuture[Throwable]
    val publisher = new Thread(() => {
      spark.sparkContext.setJobGroup("publish", "a publish", interruptOnCancel = true)
      result.complete(intercept[Throwable](table.publish(texts(120).withColumn("id", slow(col("id"))), "next"))): Unit
    })
    publisher.start()
    assert(reached.await(60, TimeUnit.SECONDS))
    spark.sparkContext.cancelJobGroup("publish")
    result.get(60, TimeUnit.SECONDS): Unit
    table.refresh()
    assert(table.versions == Seq("base") && segments(table) == before && VersionedData.table(spark, table.uri).versions == Seq("base"))
    table.publish(texts(120), "next")
    assert(table.get("next", 119).isDefined)
  }

  test("readers of earlier versions go on while versions are published, and each sees its own") {
    val table = newTable()
    table.publish(texts(2000), "v0", Seq("id"), None, isBase = false, shards = 4)
    val reader = new CompletableFuture[Int]
    @volatile var isDone = false
    val early = texts(2000).select(col("id"), lit("v0").as("version")).mapWithVersion(table, col("version")) { (row: Row, version: TableVersion) =>
      if (version.get(row.getLong(0)).exists(_.getString(1).startsWith(s"${row.getLong(0)}x"))) 1L else 0L
    }(Encoders.scalaLong)
    val thread = new Thread(() => {
      var rounds = 0
      try {
        while (!isDone || rounds < 2) {
          assert(early.collect().sum == 2000)
          rounds += 1
        }
        reader.complete(rounds): Unit
      } catch { case t: Throwable => reader.completeExceptionally(t): Unit }
    })
    thread.start()
    for (version <- 1 to 8) {
      table.publish(texts(2000).withColumn("text", concat(lit(s"$version-"), col("text"))), s"v$version")
      (0 to version).foreach { each =>
        val text = table.get(s"v$each", 1999).get.getString(1)
        assert(text.startsWith(if (each == 0) "1999x" else s"$each-1999x"), s"v$each after v$version")
      }
    }
    isDone = true
    assert(reader.get(120, TimeUnit.SECONDS) >= 2)
  }
}

private object TableFaultsSuite {
  val reached = new CountDownLatch(1)

  def hang(): Unit = {
    reached.countDown()
    Thread.sleep(60000)
  }
}
