package andiron.internal.table

import java.nio.file.{Files, Path}

import andiron.{Table, VersionedData}
import andiron.testing.Sparks._

import org.apache.spark.sql.SparkSession
import org.scalatest.{BeforeAndAfterAll, Suite}

/** One application for a suite, and a directory with its tables. */
trait TableSpark extends BeforeAndAfterAll { this: Suite =>
  protected var spark: SparkSession = _
  protected var directory: Path = _
  private var number = 0

  protected def master: String = "local[3]"

  /** Settings of the application; the directory is there. */
  protected def settings: Seq[(String, String)] = Nil

  override def beforeAll(): Unit = {
    directory = Files.createTempDirectory("tables")
    spark = start(master, settings: _*)
  }

  override def afterAll(): Unit = {
    stop(spark)
    delete(directory)
  }

  /** A table without versions. */
  protected def newTable(): Table = {
    number += 1
    VersionedData.table(spark, directory.resolve(s"t$number").toUri.toString)
  }
}
