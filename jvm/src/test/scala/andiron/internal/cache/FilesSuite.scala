package andiron.internal.cache

import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.{Files, Path, Paths}
import java.nio.file.attribute.PosixFilePermissions
import java.security.MessageDigest

import andiron.testing.Sparks._
import andiron._
import andiron.testing.{SuiteRunner, TestFileSystem}

import org.apache.spark.SparkFiles
import org.apache.spark.sql.{Encoder, Encoders, SparkSession}
import org.apache.spark.sql.functions.col
import org.junit.runner.RunWith
import org.rocksdb.{Checkpoint, Options, RocksDB}
import org.scalatest.{BeforeAndAfterAll, BeforeAndAfterEach}
import org.scalatest.funsuite.AnyFunSuite

/** Versions that are files and directories, with their names. */
@RunWith(classOf[SuiteRunner])
class FilesSuite extends AnyFunSuite with BeforeAndAfterAll with BeforeAndAfterEach {
  private implicit val asText: Encoder[String] = Encoders.STRING
  private var spark: SparkSession = _
  private var directory: Path = _

  override def beforeAll(): Unit = {
    directory = Files.createTempDirectory("files")
    begin()
  }

  private def begin(): Unit =
    spark = start("local[4]", TestFileSystem.setting, AndironConf.FailureMemory.key -> "0", AndironConf.BudgetBytes.key -> "100k",
      AndironConf.DiskBytes.key -> "150k", "spark.hadoop.andiron.test.word" -> "reached")

  override def afterAll(): Unit = {
    stop(spark)
    delete(directory)
  }

  override def afterEach(): Unit = {
    TestFileSystem.whenOpened = _ => ()
    eventually(s"nothing left: ${stats(spark)}")(
      Seq("leases", "waiting", "cursors", "residentBytes", "reservedBytes").forall(stats(spark)(_) == 0))
  }

  private def withCatalog[V, A](loader: Loader[V], versions: Version*)(body: Catalog[V] => A): A = {
    val catalog = VersionedData.catalog(spark, "by name", versions, loader)
    try body(catalog)
    finally catalog.close()
  }

  private def use[V, A](catalog: Catalog[V], version: String)(body: V => A): A = {
    val lease = catalog.lease(version)
    try body(lease.value)
    finally lease.close()
  }

  /** A directory with files by their paths, as a source. */
  private def tree(name: String, files: (String, String)*): String = {
    files.foreach { case (path, text) =>
      val file = directory.resolve(name).resolve(path)
      Files.createDirectories(file.getParent)
      Files.write(file, text.getBytes(UTF_8))
    }
    directory.resolve(name).toString
  }

  private def read(path: Path): String = new String(Files.readAllBytes(path), UTF_8)

  private def below(path: Path): Map[String, String] = {
    var found = Map.empty[String, String]
    val all = Files.walk(path)
    try all.forEach(file => if (Files.isRegularFile(file)) found += path.relativize(file).toString -> read(file))
    finally all.close()
    found
  }

  private def sha256(text: String): String = MessageDigest.getInstance("SHA-256").digest(text.getBytes(UTF_8)).map(b => f"$b%02x").mkString

  test("a file keeps its name, is loaded once for all tasks, and cannot be written") {
    val file = tree("one", "GeoLite2.mmdb" -> "places") + "/GeoLite2.mmdb"
    @volatile var opened = 0
    TestFileSystem.whenOpened = _ => opened += 1
    withCatalog(Loader.files, Version("v", TestFileSystem.uri(file))) { catalog =>
      val rows = spark.range(0, 1000, 1, 8).selectExpr("id", "'v' as version")
      val seen = rows.mapWithVersion(catalog, col("version"))((_, path: Path) => s"$path ${new String(Files.readAllBytes(path), "UTF-8")}").collect().distinct
      assert(seen.length == 1 && seen.head.endsWith("/GeoLite2.mmdb places"), seen.mkString("\n"))
      assert(opened == 1 && stats(spark)("loads") > 0 && stats(spark)("residentBytes") == 6)
      use(catalog, "v") { path =>
        assert(PosixFilePermissions.toString(Files.getPosixFilePermissions(path)) == "r--------")
        assert(PosixFilePermissions.toString(Files.getPosixFilePermissions(path.getParent)) == "r-x------")
      }
    }
  }

  test("a directory has all of its files, from a local disk and from a stream; bytes and objects refuse it and say what takes it") {
    val files = Seq("a" -> "1", "b/c/d" -> "deep", "b/empty" -> "", "_SUCCESS" -> "", "name with spaces: 100%" -> "odd", "\u00e9" -> "accent")
    val source = tree("several", files: _*)
    withCatalog(Loader.files, Version("local", source), Version("stream", s"test:$source")) { catalog =>
      for (version <- Seq("local", "stream")) use(catalog, version)(path => assert(below(path) == files.toMap))
    }
    for (loader <- Seq(Loader.bytes, Loader.objects[String]((_: Version, _) => ""))) {
      val e = intercept[SourceException](withCatalog(loader, Version("v", source))(_ => ()))
      assert(e.getMessage.contains("Loader.files"), e.getMessage)
    }
  }

  test("a Parquet directory is read where it is leased") {
    val source = directory.resolve("parquet").toString
    spark.range(100).selectExpr("id", "cast(id as string) as name").write.parquet(source)
    withCatalog(Loader.files, Version("v", source)) { catalog =>
      use(catalog, "v")(path => assert(spark.read.parquet(path.toUri.toString).where("id > 9 and name = id").count() == 90))
    }
  }

  test("a RocksDB checkpoint is opened by tasks, where it cannot be written") {
    RocksDB.loadLibrary()
    val source = directory.resolve("checkpoint").toString
    val options = new Options().setCreateIfMissing(true)
    val db = RocksDB.open(options, directory.resolve("rocksdb").toString)
    (0 until 100).foreach(i => db.put(s"key$i".getBytes, s"value$i".getBytes))
    Checkpoint.create(db).createCheckpoint(source)
    db.close()
    withCatalog(Loader.files, Version("v", source)) { catalog =>
      val rows = spark.range(0, 100, 1, 4).selectExpr("id", "'v' as version")
      val found = rows.mapPartitionsWithCursor(catalog) { (rows, cursor: Cursor[Path]) =>
        val db = RocksDB.openReadOnly(cursor.advance("v").toString)
        try rows.map(row => new String(db.get(s"key${row.getLong(0)}".getBytes))).toVector.iterator
        finally db.close()
      }
      assert(found.collect().toSet == (0 until 100).map(i => s"value$i").toSet)
    }
  }

  test("files are within the budget, go when room is needed, and come back from disk") {
    val versions = (1 to 3).map(i => Version(s"v$i", tree(s"budget$i", "x" -> "x" * 30000, "y" -> "y" * 10000)))
    val large = Version("large", tree("large", "x" -> "x" * 60000, "y" -> "y" * 60000))
    @volatile var opened = 0
    TestFileSystem.whenOpened = _ => opened += 1
    withCatalog(Loader.files, versions.map(v => v.copy(source = s"test:${v.source}")) :+ large: _*) { catalog =>
      val cursor = catalog.cursor()
      val before = stats(spark)("evictions")
      val paths = versions.map(_.name).map(cursor.advance)
      assert(stats(spark)("evictions") == before + 1 && stats(spark)("residentBytes") == 80000)
      assert(stats(spark)("diskBytes") >= 120000 && opened == 6)
      assert(cursor.advance("v1") == paths.head && below(paths.head)("x") == "x" * 30000 && opened == 6)
      assert(intercept[BudgetException](cursor.advance("large")).getMessage.contains("120000 bytes"))
      cursor.close()
    }
  }

  test("the disk limit takes files that nobody leases, and none that somebody does") {
    val versions = (1 to 5).map(i => Version(s"w$i", tree(s"disk$i", "x" -> "x" * 40000)))
    withCatalog(Loader.files, versions: _*) { catalog =>
      val held = catalog.lease("w1")
      (2 to 5).foreach(i => use(catalog, s"w$i")(path => assert(read(path.resolve("x")).length == 40000)))
      assert(read(held.value.resolve("x")).length == 40000)
      assert(stats(spark)("diskBytes") <= 150 * 1024)
      held.close()
      assert(intercept[ReleasedException](held.value).code == 114)
    }
  }

  test("checksums: of a file its own, of a directory that of the lines that sha256sum prints") {
    val source = tree("sums", "b" -> "2", "a/c" -> "1")
    val lines = s"${sha256("1")}  a/c\n${sha256("2")}  b\n"
    withCatalog(Loader.files, Version("right", source).withChecksum(s"sha256:${sha256(lines)}"), Version("file", s"$source/b").withChecksum(s"sha256:${sha256("2")}"),
      Version("wrong", source).withChecksum(s"sha256:${sha256("x")}").withBytes(2)) { catalog =>
      use(catalog, "right")(path => assert(below(path) == Map("a/c" -> "1", "b" -> "2")))
      use(catalog, "file")(path => assert(read(path) == "2"))
      val e = intercept[SourceException](use(catalog, "wrong")(_ => ()))
      assert(e.code == 106 && e.getMessage.contains("\"wrong\""), e.getMessage)
    }
  }

  test("a source that changes after the catalog was made, or whose size is not what is declared, is told") {
    val source = tree("changing", "a" -> "1", "b" -> "2")
    withCatalog(Loader.files, Version("v", source)) { catalog =>
      tree("changing", "c" -> "new")
      val e = intercept[SourceException](use(catalog, "v")(_ => ()))
      assert(e.code == 105 && e.getMessage.contains("3 files"), e.getMessage)
    }
    assert(intercept[SourceException](withCatalog(Loader.files, Version("v", source).withBytes(7))(_ => ())).code == 104)
    assert(intercept[SourceException](withCatalog(Loader.files, Version("v", source + "/none"))(_ => ())).code == 103)
  }

  test("links in a circle, and files that are declared immutable, are refused") {
    val source = tree("circle", "a" -> "1")
    Files.createSymbolicLink(Paths.get(source).resolve("again"), Paths.get(source))
    val e = intercept[SettingException](withCatalog(Loader.files, Version("v", source))(_ => ()))
    assert(e.getMessage.contains("circle") && e.getMessage.contains("'v'"), e.getMessage)
    assert(intercept[SettingException](withCatalog(Loader.files, Version("v", tree("still", "a" -> "1")).inPlace)(_ => ())).getMessage.contains("Loader.bytes"))
  }

  test("loaders reach the application's Hadoop settings, and files that were added to it") {
    val added = tree("added", "side.txt" -> "beside") + "/side.txt"
    spark.sparkContext.addFile(added)
    val custom = Loader.custom((version: Version) =>
      s"${Loader.hadoopSettings.get("andiron.test.word")} ${new String(Files.readAllBytes(Paths.get(SparkFiles.get(version.source))))}")((_: String) => 10L)
    withCatalog(custom, Version("v", "side.txt"))(catalog => use(catalog, "v")(value => assert(value == "reached beside")))
    val objects = Loader.objects[String]((_: Version, _) => Loader.hadoopSettings.get("andiron.test.word"))
    withCatalog(objects, Version("v", added))(catalog => use(catalog, "v")(value => assert(value == "reached")))
    assert(intercept[SettingException](Loader.hadoopSettings).getMessage.contains("outside a loader"))
  }

  test("where local files are encrypted, files are refused with the reason") {
    stop(spark)
    withSpark("local[1]", "spark.io.encryption.enabled" -> "true") { encrypted =>
      val e = intercept[StoreException](VersionedData.catalog(encrypted, "by name", Seq(Version("v", tree("secret", "a" -> "1"))), Loader.files))
      assert(e.code == 117 && e.getMessage.contains("spark.io.encryption.enabled") && e.getMessage.contains("unencrypted"), e.getMessage)
    }
    begin()
  }
}
