package andiron.internal.cache

import java.nio.file.{Files, Path, Paths}

import andiron.testing.Sparks._
import andiron._
import andiron.testing.{Logged, SuiteRunner}

import org.apache.spark.sql.{AnalysisException, Encoder, Encoders, SparkSession}
import org.apache.spark.sql.functions.{col, lit, sum}
import org.junit.runner.RunWith
import org.scalatest.BeforeAndAfterAll
import org.scalatest.funsuite.AnyFunSuite

/** Frames, names and settings that few jobs have. */
@RunWith(classOf[SuiteRunner])
class CacheCornersSuite extends AnyFunSuite with BeforeAndAfterAll {
  private implicit val text: Encoder[String] = Encoders.STRING
  private implicit val number: Encoder[java.lang.Long] = Encoders.LONG
  private var spark: SparkSession = _
  private var directory: Path = _

  override def beforeAll(): Unit = {
    directory = Files.createTempDirectory("corners")
    spark = start("local[2]", AndironConf.FailureMemory.key -> "0", AndironConf.BudgetVersions.key -> "2")
  }

  override def afterAll(): Unit = {
    stop(spark)
    delete(directory)
  }

  private def withCatalog[V, A](loader: Loader[V], versions: Version*)(body: Catalog[V] => A): A = withNamed("corners", loader, versions: _*)(body)

  private def withNamed[V, A](dataset: String, loader: Loader[V], versions: Version*)(body: Catalog[V] => A): A = {
    val catalog = VersionedData.catalog(spark, dataset, versions, loader)
    try body(catalog)
    finally catalog.close()
  }

  private def read[V](catalog: Catalog[V], version: String): V = {
    val lease = catalog.lease(version)
    try lease.value
    finally lease.close()
  }

  private def version(name: String): Version = Version(name, source(directory, name, s"value of $name"))

  test("a column whose name has a backtick") {
    withCatalog(Loader.bytes, version("v")) { catalog =>
      val rows = spark.range(3).toDF("a`b").as[java.lang.Long]
      val found = rows.mapWithVersion(catalog, lit("v"))((id, value: Bytes) => s"$id ${andiron.testing.Sparks.text(value)}").collect()
      assert(found.toSeq == Seq("0 value of v", "1 value of v", "2 value of v"))
    }
  }

  test("a frame without columns") {
    withCatalog(Loader.bytes, version("v")) { catalog =>
      val rows = spark.range(3).select()
      val found = rows.mapWithVersion(catalog, lit("v"))((row, value: Bytes) => s"${row.length} ${andiron.testing.Sparks.text(value)}").collect()
      assert(found.toSeq == Seq.fill(3)("0 value of v"))
      val cursors = rows.mapPartitionsWithCursor(catalog)((rows, cursor: Cursor[Bytes]) => rows.map(row => s"${row.length} ${cursor.advance("v").size}"))
      assert(cursors.collect().toSeq == Seq.fill(3)("0 10"))
    }
  }

  test("a local file whose name has a colon is read as bytes and as an object") {
    val file = Files.write(directory.resolve("2020-06-01T12:00.bin"), "noon".getBytes).toString
    withCatalog(Loader.bytes, Version("v", file))(catalog => assert(textOf(catalog) == "noon"))
    withCatalog(Loader.objects[String]((_: Version, in) => new String(in.readAllBytes())), Version("v", s"file:$file"))(catalog => assert(read(catalog, "v") == "noon"))
  }

  private def textOf(catalog: Catalog[Bytes]): String = {
    val lease = catalog.lease("v")
    try andiron.testing.Sparks.text(lease.value)
    finally lease.close()
  }

  test("a name that Hadoop takes for a scheme is a SourceException that says how to write it, when the catalog is made") {
    for (name <- Seq("2020-06-01T12:00.bin", "a:b.bin", "x:y/z.bin", "day:/z.bin")) {
      val e = intercept[SourceException](VersionedData.catalog(spark, "corners", Seq(Version("v", name)), Loader.bytes))
      Seq("'v'", "'corners'", name, "colon", "file:/").foreach(part => assert(e.getMessage.contains(part), e.getMessage))
    }
  }

  test("a column function where Spark wants a deterministic one: the message says what to do") {
    withCatalog(Loader.bytes, version("v")) { catalog =>
      val f = catalog.udf((id: Long, value: Bytes) => id + value.size)
      val (rows, other) = (spark.range(3).toDF("id"), spark.range(3).toDF("other"))
      val joined = intercept[AnalysisException](rows.join(other, f(lit("v"), col("id")) === col("other")).collect())
      val added = intercept[AnalysisException](rows.agg(sum(f(lit("v"), col("id")))).collect())
      Seq(joined, added).foreach(e => assert(e.getMessage.contains("withColumn"), e.getMessage))
      assert(rows.withColumn("n", f(lit("v"), col("id"))).agg(sum(col("n"))).head().getLong(0) == 33)
    }
  }

  test("of several local directories the one with the most room has the files") {
    val small = Seq("/dev/shm", System.getProperty("java.io.tmpdir")).map(Paths.get(_)).sortBy(path => path.toFile.getUsableSpace).map(Files.createTempDirectory(_, "corners"))
    stop(spark)
    spark = start("local[1]", "spark.local.dir" -> small.mkString(","))
    try withCatalog(Loader.bytes, version("v")) { catalog =>
      val cursor = catalog.cursor()
      cursor.advance("v")
      val holders = small.filter(holds(_, ".bytes"))
      cursor.close()
      assert(holders == Seq(small.last))
    } finally {
      stop(spark)
      small.foreach(delete)
      spark = start("local[2]", AndironConf.FailureMemory.key -> "0", AndironConf.BudgetVersions.key -> "2")
    }
  }

  private def holds(directory: Path, suffix: String): Boolean = {
    val files = Files.walk(directory)
    try files.anyMatch(file => file.toString.endsWith(suffix))
    finally files.close()
  }

  test("totals of several processes: gauges of the living and counters are sums, maxima the greatest") {
    withCatalog(Loader.bytes, version("v"))(catalog => read(catalog, "v"))
    val figures = Andiron.cacheTotals(spark)
    assert(figures.keySet == stats(spark).figures.keySet && figures("loads") == stats(spark)("loads"))
    def process(name: String, isFinal: Boolean) =
      ExecutorCacheStats(name, Map("residentBytes" -> 5L, "loads" -> 7L, "maxResidentBytes" -> name.length.toLong, "reapedLeases" -> 1L, "loaderThreads" -> 4L), isFinal)
    val total = andiron.internal.cache.CacheStats.total(Seq(process("1", isFinal = false), process("22", isFinal = false), process("333", isFinal = true)))
    assert(total == Map("residentBytes" -> 10L, "loads" -> 21L, "maxResidentBytes" -> 3L, "reapedLeases" -> 3L, "loaderThreads" -> 8L))
    assert(JavaApi.cacheTotals(spark).get("loads") == figures("loads"))
  }

  test("where the number of versions is the limit that bound, the alarm names it, and comes rarely") {
    withCatalog(Loader.bytes, (1 to 4).map(i => version(s"w$i")): _*) { catalog =>
      val cursor = catalog.cursor()
      val lines = Logged.written((0 until 400).foreach(i => cursor.advance(s"w${1 + i % 4}")))
      cursor.close()
      val alarms = lines.filter(_.contains("evicted and loaded again"))
      assert(alarms.nonEmpty && alarms.size <= 8, alarms.size)
      alarms.foreach(line => assert(line.contains("spark.andiron.cache.budgetVersions") && !line.contains("budgetBytes") && line.contains("4 versions"), line))
    }
  }

  test("rows that are not sorted by version are told once, with the number of loads") {
    withNamed("unsorted", Loader.bytes, (1 to 4).map(i => version(s"u$i")): _*) { catalog =>
      val f = catalog.udf((id: Long, value: Bytes) => id + value.size)
      val rows = spark.range(0, 200, 1, 1).selectExpr("id", "concat('u', 1 + id % 4) as version")
      val lines = Logged.written {
        (1 to 3).foreach(_ => rows.select(f(col("version"), col("id"))).collect())
        rows.sortWithinPartitions("version").select(f(col("version"), col("id"))).collect()
      }
      val told = lines.filter(_.contains("not sorted by version"))
      assert(told.size == 1, lines.mkString("\n"))
      Seq("\"unsorted\"", "200 loads", "4 versions", "sortWithinPartitions").foreach(part => assert(told.head.contains(part), told.head))
    }
  }
}
