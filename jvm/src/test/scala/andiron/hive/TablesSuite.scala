package andiron.hive

import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.{Files, Path, Paths}

import org.junit.runner.RunWith
import org.scalatest.funsuite.AnyFunSuite

import andiron.testing.SuiteRunner

/** Writes docs/operations/hive.sql: the first argument is the file. */
object HiveDocument {
  def main(arguments: Array[String]): Unit = {
    Files.write(Paths.get(arguments(0)), Tables.document("andiron").getBytes(UTF_8))
    ()
  }
}

@RunWith(classOf[SuiteRunner])
class TablesSuite extends AnyFunSuite {
  private def project: Path =
    Iterator.iterate(Paths.get("").toAbsolutePath)(_.getParent).takeWhile(_ != null).find(d => Files.exists(d.resolve("settings.gradle"))).getOrElse(
      fail("tests run in a directory of the project"))

  test("docs/operations/hive.sql is what andiron.hive.Tables makes") {
    val written = new String(Files.readAllBytes(project.resolve("docs/operations/hive.sql")), UTF_8)
    assert(written == Tables.document("andiron"), "generate it again: gradle hiveDocument")
  }

  test("one name has one type in a table, and every column is there once") {
    for ((table, kinds) <- Seq(Tables.metrics -> Columns.ofMetrics, Tables.failures -> Columns.ofFailures)) {
      val own = (kinds.flatMap(Columns.byKind) ++ (if (table == Tables.metrics) Columns.amounts else Nil)).groupBy(_.name)
      own.foreach { case (name, columns) => assert(columns.map(_.value.sql).distinct.size == 1, name) }
      assert(table.schema.fieldNames.distinct.sameElements(table.schema.fieldNames))
      own.keys.foreach(name => assert(table.schema.fieldNames.contains(name)))
      assert(table.schema.fieldNames.last == "dt" && table.schema.fieldNames.forall(_.matches("[a-z_]+")))
    }
    assert(Columns.byKind.keySet == (Columns.ofMetrics ++ Columns.ofFailures).toSet)
  }

  test("arguments: what is missing, unknown or not readable is told by name") {
    def told(arguments: String*): String = Options.parse(arguments).fold(identity, so => fail(s"taken: $so"))
    assert(told().contains("--from"))
    assert(told("--from", "kafka").contains("--bootstrap-servers"))
    assert(told("--from", "kafka", "--bootstrap-servers", "h:1").contains("--checkpoint"))
    assert(told("--from", "log").contains("--log-dir"))
    assert(told("--from", "paper").contains("paper"))
    assert(told("--from", "log", "--log-dir", "d", "--trigger", "soon").contains("--trigger"))
    assert(told("--from", "log", "--log-dir", "d", "--max-records", "0").contains("--max-records"))
    assert(told("--from", "log", "--log-dir", "d", "--database", "a; DROP").contains("--database"))
    assert(told("--from", "log", "--log-dir").contains("--log-dir needs"))
    assert(told("--form", "log").contains("--form"))
    assert(told("log").contains("log"))
    val so = Options.parse(Seq("--from=kafka", "--bootstrap-servers=h:1,i:2", "--checkpoint", "s3a://b/c", "--follow", "--trigger", "30s", "--max-records", "7"))
    assert(so == Right(Options(from = "kafka", bootstrapServers = "h:1,i:2", checkpoint = "s3a://b/c", follow = true, trigger = "30s", maxRecords = 7)))
    assert(so.exists(_.triggerMillis == 30000) && Options().triggerMillis == 60000)
  }
}
