package andiron.services

import java.io.InputStream

import org.apache.hadoop.fs.{Path => HadoopPath}

import andiron._
import andiron.services.Bench._

/** Checks of sources, for every storage. Their files have several blocks and many chunks. */
final class Sources(bench: Bench) {
  private val size = 12 * MiB + 17
  private val whole = bytes(1, size)

  private def version(name: String, checksum: Option[String] = None) = Version(name, bench.uri(name), checksum = checksum)

  private val equalBytes = Check("equal-bytes") {
    bench.put("whole", whole)
    val loads = bench.figure("loads")
    for (sum <- Seq(None, Some(sha256(whole)), Some(crc32(whole)))) bench.withCatalog(Loader.bytes, version("whole", sum)) { catalog =>
      (0 until 2).foreach(_ => bench.requireRead(catalog, "whole", whole))
    }
    Check.require(bench.figure("loads") == loads + 3, s"${bench.figure("loads") - loads} loads for 3 catalogs")
    Seq("bytes" -> size)
  }

  private val empty = Check("empty") {
    bench.put("empty", Array.emptyByteArray)
    bench.withCatalog(Loader.bytes, version("empty", Some(sha256(Array.emptyByteArray))))(bench.requireRead(_, "empty", Array.emptyByteArray))
  }

  private val objects = Check("objects") {
    bench.put("whole", whole)
    val sum = Loader.objects[java.lang.Long]((_: Version, in: InputStream) => Iterator.continually(in.read()).takeWhile(_ >= 0).map(_.toLong).sum)
    bench.withCatalog(sum, version("whole", Some(crc32(whole)))) { catalog =>
      val lease = catalog.lease("whole")
      try Check.require(lease.value == whole.map(_ & 0xffL).sum, s"the sum is ${lease.value}")
      finally lease.close()
    }
  }

  private val job = Check("job") {
    val contents = (0 until 5).map(n => bytes(10 + n, 3 * MiB + n))
    contents.zipWithIndex.foreach { case (content, n) => bench.put(s"v$n", content) }
    val rows = 4000L
    val expected = (0L until rows).map { id =>
      val content = contents((id % 5).toInt)
      id + content((id * 7919 % content.length).toInt)
    }.sum
    bench.withCatalog(Loader.bytes, contents.indices.map(n => version(s"v$n")): _*) { catalog =>
      Check.require(bench.job(catalog, 5, rows) == expected, "the job's result is wrong")
    }
    Seq("rows" -> rows)
  }

  private val wrongChecksum = Check("wrong-checksum") {
    bench.put("whole", whole)
    val e = bench.withCatalog(Loader.bytes, version("whole", Some(sha256(bytes(2, 3)))))(catalog =>
      bench.failure[SourceException]("whole", 106)(bench.read(catalog, "whole")))
    Seq("message" -> e.getMessage)
  }

  private val missing = Check("missing") {
    val e = bench.failure[SourceException]("nowhere", 103)(bench.withCatalog(Loader.bytes, version("nowhere"))(_ => ()))
    Seq("message" -> e.getMessage)
  }

  private val directory = Check("directory") {
    bench.files.mkdirs(new HadoopPath(bench.uri("folder")))
    bench.put("folder/file", Array[Byte](1))
    bench.failure[SourceException]("folder", 103)(bench.withCatalog(Loader.bytes, version("folder"))(_ => ()))
  }

  private val immutable = Check("immutable") {
    bench.put("whole", whole)
    bench.withCatalog(Loader.bytes, version("whole").copy(immutable = true))(catalog =>
      bench.failure[SettingException]("whole", 403)(bench.read(catalog, "whole")))
  }

  /** The source changes after the catalog is created. */
  private def since(name: String, code: Int)(change: String => Unit) = Check(name) {
    bench.put(name, whole)
    bench.withCatalog(Loader.bytes, version(name)) { catalog =>
      change(name)
      Seq("message" -> bench.failure[SourceException](name, code)(bench.read(catalog, name)).getMessage)
    }
  }

  /** The source changes after half of it is read. */
  def during(name: String, codes: Int*)(change: String => Unit): Check = Check(name) {
    bench.loading(version(name), whole, size / 2L)(change(name)) { catalog =>
      val e = bench.failure[SourceException](name, codes: _*)(bench.read(catalog, name))
      Seq("code" -> e.code, "message" -> e.getMessage)
    }
  }

  val checks: Seq[Check] = Seq(
    equalBytes, empty, objects, job, wrongChecksum, missing, directory, immutable,
    since("deleted-since", 103)(bench.delete),
    since("shorter-since", 104)(name => bench.put(name, whole.take(MiB))),
    since("rewritten-since", 105)(name => bench.put(name, bytes(3, size))),
    during("deleted-during-load", 103)(bench.delete),
    during("shorter-during-load", 105)(name => bench.put(name, whole.take(MiB))),
    during("rewritten-during-load", 105)(name => bench.put(name, bytes(4, size))))
}
