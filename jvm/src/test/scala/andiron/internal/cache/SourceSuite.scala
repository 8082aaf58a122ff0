package andiron.internal.cache

import java.io.RandomAccessFile
import java.nio.file.attribute.FileTime
import java.nio.file.{Files, Path, Paths}
import java.security.MessageDigest
import java.util.zip.CRC32

import andiron.testing.Sparks._
import andiron.{AndironConf, AndironException, Bytes, Catalog, LoadException, Loader, SettingException, SourceException, Version, VersionedData}
import andiron.testing.{SuiteRunner, TestFileSystem}

import org.apache.spark.sql.SparkSession
import org.junit.runner.RunWith
import org.scalatest.{BeforeAndAfterAll, BeforeAndAfterEach}
import org.scalatest.funsuite.AnyFunSuite

@RunWith(classOf[SuiteRunner])
class SourceSuite extends AnyFunSuite with BeforeAndAfterAll with BeforeAndAfterEach {
  private var spark: SparkSession = _
  private var directory: Path = _

  override def beforeAll(): Unit = {
    directory = Files.createTempDirectory("sources")
    spark = start("local[2]", TestFileSystem.setting, AndironConf.FailureMemory.key -> "0", AndironConf.BudgetBytes.key -> "4g")
  }

  override def afterAll(): Unit = {
    stop(spark)
    delete(directory)
  }

  override def afterEach(): Unit = {
    TestFileSystem.whenOpened = _ => ()
    eventually(s"nothing left: ${stats(spark)}")(
      Seq("leases", "waiting", "cursors", "residentBytes", "reservedBytes").forall(stats(spark)(_) == 0))
  }

  private def withCatalog[V, A](versions: Version*)(loader: Loader[V])(body: Catalog[V] => A): A = {
    val catalog = VersionedData.catalog(spark, "files", versions, loader)
    try body(catalog)
    finally catalog.close()
  }

  private def read(catalog: Catalog[Bytes], version: String): String = use(catalog, version)(text)

  private def use[V, A](catalog: Catalog[V], version: String)(body: V => A): A = {
    val lease = catalog.lease(version)
    try body(lease.value)
    finally lease.close()
  }

  private def hex(bytes: Array[Byte]): String = bytes.map(b => f"$b%02x").mkString
  private def later(file: String): Unit = {
    Files.setLastModifiedTime(Paths.get(java.net.URI.create(file)), FileTime.fromMillis(System.currentTimeMillis() + 5000))
    ()
  }
  private def path(uri: String): Path = Paths.get(java.net.URI.create(uri))

  test("a local file, a path without a scheme and a stream of a Hadoop file system give the same bytes") {
    val file = source(directory, "a file", "the text")
    val plain = path(file).toString
    withCatalog(Version("uri", s"file:$plain"), Version("path", plain), Version("stream", s"test:$plain"))(Loader.bytes) { catalog =>
      Seq("uri", "path", "stream").foreach(version => assert(read(catalog, version) == "the text"))
    }
  }

  test("an empty file is a version of 0 bytes") {
    withCatalog(Version("empty", source(directory, "empty", "")), Version("streamed", TestFileSystem.uri(source(directory, "empty2", ""))))(Loader.bytes) { catalog =>
      assert(read(catalog, "empty") == "" && read(catalog, "streamed") == "")
    }
  }

  test("a stream longer than a chunk arrives whole") {
    val bytes = Array.tabulate[Byte](3 * 1024 * 1024 + 17)(i => (i * 31 + i / 7).toByte)
    val file = source(directory, "long", bytes)
    val sum = "sha256:" + hex(MessageDigest.getInstance("SHA-256").digest(bytes))
    withCatalog(Version("v", TestFileSystem.uri(file), checksum = Some(sum)))(Loader.bytes) { catalog =>
      use(catalog, "v")(value => assert(java.util.Arrays.equals(value.toArray(0, bytes.length), bytes)))
    }
  }

  test("a source that is missing when the catalog is made is an error that names version, dataset and source") {
    val e = intercept[SourceException](withCatalog(Version("2020", directory.resolve("nowhere").toUri.toString))(Loader.bytes)(_ => ()))
    assert(e.code == 103)
    Seq("'2020'", "'files'", "nowhere").foreach(part => assert(e.getMessage.contains(part)))
  }

  test("a URI with escaped characters is found as a path or URI, and as a text the error says what the file is called") {
    for (name <- Seq("an escaped file", "50%", "a#b?c", "ü", "a%20b", "g h;i=j")) {
      val file = directory.resolve(name)
      Files.write(file, name.getBytes("UTF-8"))
      withCatalog(Version.of("path", file), Version.of("uri", file.toUri), Version.of("file", file.toFile.toURI))(Loader.bytes) { catalog =>
        for (version <- catalog.versions) assert(read(catalog, version) == name)
      }
      val e = intercept[SourceException](withCatalog(Version("v", file.toUri.toString))(Loader.bytes)(_ => ()))
      assert(e.code == 103 && e.getMessage.contains(s"file:$file is there") && e.getMessage.contains("Version.of with a java.net.URI"), e.getMessage)
      val declared = Version("v", file.toUri.toString, bytes = Some(name.getBytes("UTF-8").length.toLong), checksum = Some("crc32:00000000"))
      withCatalog(declared)(Loader.bytes)(catalog => assert(intercept[SourceException](read(catalog, "v")).getMessage.contains(s"file:$file is there")))
      withCatalog(declared.inPlace)(Loader.bytes)(catalog => assert(intercept[SourceException](read(catalog, "v")).getMessage.contains(s"file:$file is there")))
    }
    val e = intercept[SourceException](withCatalog(Version("v", directory.resolve("not there").toUri.toString))(Loader.bytes)(_ => ()))
    assert(!e.getMessage.contains("is there"), e.getMessage)
  }

  test("half a surrogate pair names nothing") {
    val file = source(directory, "surrogates", "x")
    for (bad <- Seq(Version("\ud800", file), Version("v", "file:/\udcff")))
      assert(intercept[SettingException](withCatalog(bad)(Loader.bytes)(_ => ())).getMessage.contains("surrogates"))
    assert(intercept[SettingException](VersionedData.catalog(spark, "\ud800", Seq(Version("v", file)), Loader.bytes)).getMessage.contains("surrogates"))
  }

  test("a directory is not a source") {
    assert(intercept[SourceException](withCatalog(Version("v", directory.toUri.toString))(Loader.bytes)(_ => ())).getMessage.contains("directory"))
  }

  test("a file system that does not exist is an error that names it") {
    assert(intercept[SourceException](withCatalog(Version("v", "nosuchfs://host/x"))(Loader.bytes)(_ => ())).getMessage.contains("nosuchfs"))
  }

  test("a source that went away since then is an error of the task") {
    val file = source(directory, "gone", "x")
    withCatalog(Version("v", file))(Loader.bytes) { catalog =>
      Files.delete(path(file))
      val e = intercept[SourceException](read(catalog, "v"))
      assert(e.code == 103 && e.getMessage.contains("'v'") && e.getMessage.contains("gone"))
    }
  }

  test("a source that was truncated since then is an error") {
    for (uri <- Seq((f: String) => f, TestFileSystem.uri _)) {
      val file = source(directory, "short", "0123456789")
      withCatalog(Version("v", uri(file)))(Loader.bytes) { catalog =>
        Files.write(path(file), "01234".getBytes)
        val e = intercept[SourceException](read(catalog, "v"))
        assert(e.code == 104 && e.getMessage.contains("5 bytes") && e.getMessage.contains("10"), e.getMessage)
      }
    }
  }

  test("a size that is declared wrongly is an error when the catalog is made") {
    val e = intercept[SourceException](withCatalog(Version("v", source(directory, "declared", "0123"), bytes = Some(5)))(Loader.bytes)(_ => ()))
    assert(e.code == 104)
  }

  test("a source that was rewritten since then is an error, though its size is the same") {
    val file = source(directory, "rewritten", "0123456789")
    withCatalog(Version("v", file))(Loader.bytes) { catalog =>
      Files.write(path(file), "abcdefghij".getBytes)
      later(file)
      assert(intercept[SourceException](read(catalog, "v")).code == 105)
    }
  }

  test("a source that is rewritten while it is loaded is an error; the same version loads when the source is whole again") {
    val file = source(directory, "meanwhile", "0123456789")
    val modified = Files.getLastModifiedTime(path(file))
    withCatalog(Version("v", TestFileSystem.uri(file)))(Loader.bytes) { catalog =>
      TestFileSystem.whenOpened = _ => later(file)
      val e = intercept[SourceException](read(catalog, "v"))
      assert(e.code == 105 && e.getMessage.contains("while it was loaded"), e.getMessage)
      TestFileSystem.whenOpened = _ => ()
      Files.setLastModifiedTime(path(file), modified)
      assert(read(catalog, "v") == "0123456789")
    }
  }

  test("a source that is truncated while it is loaded is an error") {
    val file = source(directory, "shrinking", "0123456789")
    withCatalog(Version("v", TestFileSystem.uri(file)))(Loader.bytes) { catalog =>
      TestFileSystem.whenOpened = _ => { Files.write(path(file), "01".getBytes); () }
      assert(Set(104, 105)(intercept[SourceException](read(catalog, "v")).code))
    }
  }

  test("a loader that fails on a source that was rewritten meanwhile is told so, with what it threw as the cause") {
    val file = source(directory, "broken", "0123456789")
    val breaking = Loader.objects[String]((_: Version, _) => throw new java.io.IOException("the block is gone"))
    withCatalog(Version("v", TestFileSystem.uri(file)))(breaking) { catalog =>
      TestFileSystem.whenOpened = _ => later(file)
      val e = intercept[SourceException](catalog.lease("v"))
      assert(e.code == 105 && causeOf[java.io.IOException](e).getMessage == "the block is gone", e)
    }
  }

  test("a source that changes after it was loaded has no effect") {
    val file = source(directory, "afterwards", "before")
    withCatalog(Version("v", file))(Loader.bytes) { catalog =>
      val lease = catalog.lease("v")
      Files.write(path(file), "after!".getBytes)
      assert(text(lease.value) == "before")
      Files.delete(path(file))
      assert(text(lease.value) == "before")
      lease.close()
    }
  }

  test("declared checksums are verified for bytes and for objects") {
    val bytes = "checked".getBytes
    val crc = new CRC32
    crc.update(bytes)
    val good = Seq(f"crc32:${crc.getValue}%08x", "sha256:" + hex(MessageDigest.getInstance("SHA-256").digest(bytes)))
    val file = source(directory, "checked", bytes)
    val firstByte = Loader.objects[String]((_: Version, in) => s"first byte ${in.read()}")
    for (sum <- good; uri <- Seq(file, TestFileSystem.uri(file))) {
      withCatalog(Version("v", uri, checksum = Some(sum)))(Loader.bytes)(catalog => assert(read(catalog, "v") == "checked"))
      withCatalog(Version("v", uri, checksum = Some(sum)))(firstByte)(catalog => use(catalog, "v")(value => assert(value == "first byte 99")))
      val wrong = sum.dropRight(1) + (if (sum.last == '0') '1' else '0')
      withCatalog(Version("v", uri, checksum = Some(wrong)))(Loader.bytes) { catalog =>
        assert(intercept[SourceException](read(catalog, "v")).code == 106)
      }
      withCatalog(Version("v", uri, checksum = Some(wrong)))(firstByte) { catalog =>
        val e = intercept[SourceException](catalog.lease("v"))
        assert(e.code == 106 && e.getMessage.contains(wrong), e.getMessage)
      }
    }
  }

  test("a checksum that nobody can verify is refused") {
    val file = source(directory, "strange", "x")
    assert(intercept[AndironException](withCatalog(Version("v", file, checksum = Some("md5:00")))(Loader.bytes)(c => read(c, "v"))).getMessage.contains("md5"))
    assert(intercept[SettingException](withCatalog(Version("v", file, checksum = Some("xxh3:0011223344556677")))(
      Loader.objects[String]((_: Version, _) => "x"))(_ => ())).getMessage.contains("crc32"))
  }

  test("Hadoop's own checksum beside a local file is verified") {
    for ((name, damaged) <- Seq("whole" -> false, "damaged" -> true)) {
      val file = directory.resolve(name).toUri.toString
      val hadoop = new org.apache.hadoop.fs.Path(file)
      val out = hadoop.getFileSystem(spark.sparkContext.hadoopConfiguration).create(hadoop, true)
      out.write("0123456789".getBytes)
      out.close()
      assert(Files.exists(directory.resolve(s".$name.crc")))
      if (damaged) Files.write(path(file), "012345678X".getBytes)
      withCatalog(Version("v", file))(Loader.bytes) { catalog =>
        if (damaged) assert(causeOf[org.apache.hadoop.fs.ChecksumException](intercept[LoadException](read(catalog, "v"))) != null)
        else assert(read(catalog, "v") == "0123456789")
      }
    }
  }

  test("an immutable local source is mapped where it is, without a copy") {
    val file = source(directory, "immutable", "in place")
    val before = stats(spark)("diskBytes")
    withCatalog(Version("v", file, immutable = true))(Loader.bytes) { catalog =>
      assert(read(catalog, "v") == "in place")
      assert(stats(spark)("diskBytes") == before)
    }
  }

  test("a file that one catalog maps in place and another copies is the user's own for the first only, whoever loads first") {
    for (inPlaceFirst <- Seq(true, false)) {
      val file = source(directory, s"both-$inPlaceFirst", "before")
      withCatalog(Version("v", file, immutable = true))(Loader.bytes) { inPlace =>
        withCatalog(Version("v", file))(Loader.bytes) { copied =>
          val leases = (if (inPlaceFirst) Seq(inPlace, copied) else Seq(copied, inPlace)).map(catalog => catalog -> catalog.lease("v")).toMap
          val out = new RandomAccessFile(path(file).toFile, "rw")
          out.write("after!".getBytes)
          out.close()
          assert(text(leases(copied).value) == "before" && text(leases(inPlace).value) == "after!", s"in place first: $inPlaceFirst")
          leases.values.foreach(_.close())
        }
      }
    }
  }

  test("immutable needs a local file, and bytes") {
    val file = source(directory, "remote", "x")
    withCatalog(Version("v", TestFileSystem.uri(file), immutable = true))(Loader.bytes) { catalog =>
      assert(intercept[SettingException](catalog.lease("v")).getMessage.contains("local file"))
    }
    intercept[SettingException](withCatalog(Version("v", file, immutable = true))(Loader.objects[String]((_: Version, _) => "x"))(_ => ()))
  }

  test("a sparse file of more than 2 GB is read at both ends, copied and in place") {
    val file = directory.resolve("huge")
    val size = (2L << 30) + 12345
    val out = new RandomAccessFile(file.toFile, "rw")
    out.setLength(size)
    out.write("begin".getBytes)
    out.seek(size - 3)
    out.write("end".getBytes)
    out.close()
    for (immutable <- Seq(true, false)) withCatalog(Version("v", file.toUri.toString, immutable = immutable))(Loader.bytes) { catalog =>
      val lease = catalog.lease("v")
      val bytes = lease.value
      assert(bytes.size == size)
      assert(new String(bytes.toArray(0, 5)) == "begin" && new String(bytes.toArray(size - 3, 3)) == "end")
      assert(bytes.getLong(size - 16) == 0 && bytes.buffer(size - 3, 3).get(0) == 'e')
      assert(bytes.slice(size - 3, 3).getByte(2) == 'd')
      val in = bytes.inputStream()
      assert(in.skip(size - 2) == size - 2 && in.read() == 'n' && in.read() == 'd' && in.read() == -1)
      intercept[IndexOutOfBoundsException](bytes.getLong(size - 7))
      lease.close()
    }
    Files.delete(file)
  }

  test("two catalogs of the same files share what is loaded, and each can be closed first") {
    val file = source(directory, "shared", "shared")
    val loads = stats(spark)("loads")
    withCatalog(Version("v", file))(Loader.bytes) { first =>
      withCatalog(Version("v", file))(Loader.bytes) { second =>
        assert(read(first, "v") == "shared" && read(second, "v") == "shared")
        assert(stats(spark)("loads") == loads + 1)
      }
      assert(read(first, "v") == "shared")
    }
    val second = VersionedData.catalog(spark, "files", Seq(Version("v", file)), Loader.bytes)
    withCatalog(Version("v", file))(Loader.bytes) { first =>
      val lease = second.lease("v")
      first.lease("v").close()
      lease.close()
    }
    assert(read(second, "v") == "shared")
    second.close()
  }
}
