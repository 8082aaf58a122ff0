package andiron.internal.table

import andiron._
import andiron.testing.Sparks._
import andiron.testing.SuiteRunner

import org.apache.spark.TaskContext
import org.apache.spark.sql.{Encoders, Row}
import org.apache.spark.sql.functions.{col, concat, lit}
import org.junit.runner.RunWith
import org.scalatest.funsuite.AnyFunSuite

/** Tables where executors are processes of their own. */
@RunWith(classOf[SuiteRunner])
class TableClusterSuite extends AnyFunSuite {
  test("executors publish and look up, also after one of them has died") {
    withDirectory { directory =>
      withSpark("local-cluster[2,1,1024]", "spark.executor.memory" -> "512m") { spark =>
        val table = VersionedData.table(spark, directory.resolve("t").toUri.toString)
        def rows(version: Int) = spark.range(5000).select(col("id"), concat(lit(s"$version-"), (col("id") + (if (version > 0) col("id") % 100 * version else lit(0))).cast("string")).as("text"))
        (0 to 2).foreach(version => table.publish(rows(version), s"v$version", Seq("id"), None, isBase = false, shards = 4))
        val asked = spark.range(0, 15000, 1, 6).selectExpr("id % 5000 as id", "id % 3 as n", "concat('v', id % 3) as version")
        def run(failing: Boolean): Array[(String, String)] = asked.mapWithVersion(table, col("version")) { (row: Row, version: TableVersion) =>
          val context = TaskContext.get()
          if (failing && context.partitionId() == 3 && context.attemptNumber() == 0 && row.getLong(0) % 1000 == 999) Runtime.getRuntime.halt(1)
          val (id, n) = (row.getLong(0), row.getLong(1))
          (s"$n-${id + id % 100 * n}", version.get(id).map(_.getString(1)).getOrElse("absent"))
        }(Encoders.product[(String, String)]).collect()
        for (failing <- Seq(false, true)) {
          val found = run(failing)
          assert(found.length == 15000)
          found.foreach { case (expected, text) => assert(text == expected) }
        }
        table.publish(rows(3), "v3")
        assert(table.get("v3", 4999).map(_.getString(1)).contains(s"3-${4999 + 99 * 3}"))
      }
    }
  }
}
