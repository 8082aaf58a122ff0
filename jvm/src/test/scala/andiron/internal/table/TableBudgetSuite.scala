package andiron.internal.table

import java.nio.file.{Files, Path}

import andiron._
import andiron.testing.Sparks._
import andiron.testing.SuiteRunner

import org.apache.spark.sql.{DataFrame, Encoders, Row, SparkSession}
import org.apache.spark.sql.functions.{col, concat, lit, repeat}
import org.junit.runner.RunWith
import org.scalatest.funsuite.AnyFunSuite

/** Tables and the memory that they may take. */
@RunWith(classOf[SuiteRunner])
class TableBudgetSuite extends AnyFunSuite {
  private val rows = 10000L

  private def texts(spark: SparkSession, of: String): DataFrame = spark.range(rows).select(col("id"), concat(lit(of), repeat(lit("x"), 100)).as("text"))

  /** Three lines of about 1.5 MB each: a segment and an index. */
  private def lines(spark: SparkSession, directory: Path): Table = {
    val table = VersionedData.table(spark, directory.resolve("t").toUri.toString)
    Seq("a", "b", "c").foreach(name => table.publish(texts(spark, name), name, Seq("id"), None, isBase = true, shards = 1))
    table
  }

  private def lookups(spark: SparkSession, table: Table, partitions: Int): Long =
    spark.range(0, 3000, 1, partitions).select(col("id"), (col("id") / 100).cast("int").as("n")).selectExpr("id", "case n % 3 when 0 then 'a' when 1 then 'b' else 'c' end as version")
      .mapWithVersion(table, col("version")) { (row: Row, version: TableVersion) =>
        if (version.get(row.getLong(0)).exists(_.getString(1).startsWith(version.name))) 1L else 0L
      }(Encoders.scalaLong).collect().sum

  test("a budget for one line holds one at a time, and what it evicts leaves memory") {
    withDirectory { directory =>
      withSpark("local[1]", AndironConf.BudgetBytes.key -> "2m", AndironConf.HardLimitBytes.key -> "3m", AndironConf.Directory.key -> directory.resolve("cache").toString) { spark =>
        val table = lines(spark, directory)
        assert(lookups(spark, table, 2) == 3000)
        assert(Seq("a", "b", "c").forall(name => table.get(name, 7).exists(_.getString(1).startsWith(name))))
        val found = stats(spark)
        assert(found("evictions") > 0 && found("maxReservedBytes") <= (2 << 20) && found("overBudgetAdmissions") == 0 && found("leases") == 0, found)
        assert(found("residentBytes") > (1 << 20), found)
        // A segment that is evicted is kept by its line until that is evicted as well, without its pages.
        // The kernel keeps a page until it is on the disk; mappings of other suites in this process count until they are collected.
        eventually(s"only resident pages are in memory: ${stats(spark)}", seconds = 60) {
          System.gc()
          val now = stats(spark)
          now("mappedResidentBytes") <= now("residentBytes")
        }
      }
    }
  }

  test("tasks that ask for different lines of a small budget all finish with their own rows") {
    withDirectory { directory =>
      withSpark("local[4]", AndironConf.BudgetBytes.key -> "3300k", AndironConf.HardLimitBytes.key -> "6m") { spark =>
        val table = lines(spark, directory)
        assert(lookups(spark, table, 8) == 3000)
        assert(stats(spark)("leases") == 0 && stats(spark)("maxReservedBytes") <= (6 << 20), stats(spark))
      }
    }
  }

  test("a table that is larger than the budget is refused with the setting to raise, for lookups and for a publish") {
    withDirectory { directory =>
      withSpark("local[2]", AndironConf.BudgetBytes.key -> "100k", AndironConf.HardLimitBytes.key -> "200k", AndironConf.WaitTimeout.key -> "5s") { spark =>
        val table = lines(spark, directory)
        val failures = Seq[() => Any](() => table.get("a", 1), () => lookups(spark, table, 2), () => table.publish(texts(spark, "d"), "d"))
        failures.foreach { failing =>
          val error = causeOf[BudgetException](intercept[Throwable](failing()))
          assert(error.getMessage.contains(AndironConf.BudgetBytes.key) && error.getMessage.contains(table.uri), error)
        }
        table.refresh()
        assert(table.versions == Seq("a", "b", "c"))
      }
    }
  }

  test("tables are refused while local files are encrypted") {
    withDirectory { directory =>
      withSpark("local[1]", "spark.io.encryption.enabled" -> "true") { spark =>
        val error = intercept[AndironException](VersionedData.table(spark, directory.resolve("t").toUri.toString))
        assert(error.code == ErrorCode.EncryptionRefused && error.getMessage.contains("table file:") && error.getMessage.contains("spark.io.encryption.enabled"), error)
        assert(!Files.exists(directory.resolve("t")))
      }
    }
  }
}
