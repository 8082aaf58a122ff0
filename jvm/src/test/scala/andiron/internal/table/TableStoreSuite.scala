package andiron.internal.table

import java.io.IOException
import java.nio.file.{Files, Path, Paths}

import andiron._
import andiron.testing.{StoreFileSystem, SuiteRunner}
import andiron.testing.Sparks._

import org.apache.hadoop.fs.{Path => HadoopPath}
import org.apache.spark.sql.SparkSession
import org.junit.runner.RunWith
import org.scalatest.{BeforeAndAfterAll, BeforeAndAfterEach}
import org.scalatest.funsuite.AnyFunSuite

/** Publishing to an object store, where a manifest appears by one put, and where the answer to it may be lost. */
@RunWith(classOf[SuiteRunner])
class TableStoreSuite extends AnyFunSuite with BeforeAndAfterAll with BeforeAndAfterEach {
  private var spark: SparkSession = _
  private var directory: Path = _
  private var number = 0

  override def beforeAll(): Unit = {
    directory = Files.createTempDirectory("table-store")
    spark = start("local[2]", StoreFileSystem.settings: _*)
  }

  override def afterAll(): Unit = {
    stop(spark)
    delete(directory)
  }

  override def afterEach(): Unit = {
    StoreFileSystem.beforeClose = (_: HadoopPath) => ()
    StoreFileSystem.afterClose = (_: HadoopPath) => ()
  }

  private def newTable(): Table = {
    number += 1
    val table = VersionedData.table(spark, s"s3a://bucket${directory.resolve(s"t$number")}")
    table.publish(spark.range(10).toDF(), "base", Seq("id"))
    table
  }

  private def isManifest(path: HadoopPath): Boolean = path.toString.contains("/_andiron/v/")

  private def local(path: HadoopPath): Path = Paths.get(path.toUri.getPath)

  private def code(body: => Any): Int = causeOf[AndironException](intercept[Throwable](body)).code

  test("versions are published and looked up without a rename") {
    val table = newTable()
    table.publish(spark.range(12).toDF(), "next")
    assert(table.get("next", 11).isDefined && table.get("base", 11).isEmpty && VersionedData.table(spark, table.uri).versions == Seq("base", "next"))
  }

  test("a manifest that another publisher replaced is 507 for the one that lost it") {
    val table = newTable()
    val other = VersionedData.table(spark, table.uri)
    other.publish(spark.range(11).toDF(), "theirs")
    val theirs = Files.readAllBytes(directory.resolve(s"t$number/_andiron/v/00000000000000000001"))
    Files.delete(directory.resolve(s"t$number/_andiron/v/00000000000000000001"))
    // The store takes the other's put after ours.
    StoreFileSystem.afterClose = (path: HadoopPath) => if (isManifest(path)) Files.write(local(path), theirs): Unit
    assert(code(table.publish(spark.range(12).toDF(), "ours")) == ErrorCode.TableConflict)
    assert(VersionedData.table(spark, table.uri).versions == Seq("base", "theirs"))
    // A put that the store refuses, since the name exists by now.
    Files.delete(directory.resolve(s"t$number/_andiron/v/00000000000000000001"))
    val late = VersionedData.table(spark, table.uri)
    StoreFileSystem.beforeClose = (path: HadoopPath) =>
      if (isManifest(path)) {
        Files.write(local(path), theirs)
        throw new IOException("412: the precondition failed")
      }
    assert(code(late.publish(spark.range(12).toDF(), "ours")) == ErrorCode.TableConflict)
  }

  test("a publish whose last answer is lost is what the store says, and one that ends before its manifest is nothing") {
    val table = newTable()
    StoreFileSystem.afterClose = (path: HadoopPath) => if (isManifest(path)) throw new IOException("the connection was reset")
    table.publish(spark.range(12).toDF(), "next")
    assert(table.versions == Seq("base", "next") && table.get("next", 11).isDefined)
    StoreFileSystem.beforeClose = (path: HadoopPath) => if (isManifest(path)) throw new IOException("no connection")
    val failure = causeOf[AndironException](intercept[Throwable](table.publish(spark.range(15).toDF(), "third")))
    assert(failure.code == ErrorCode.Io && failure.getMessage.contains("no connection"), failure)
    afterEach()
    assert(VersionedData.table(spark, table.uri).versions == Seq("base", "next"))
    table.publish(spark.range(15).toDF(), "third")
    assert(table.versions == Seq("base", "next", "third") && table.get("third", 14).isDefined && table.get("next", 14).isEmpty)
  }
}
