package andiron.internal.cache

import java.io.{DataInputStream, EOFException}
import java.nio.{ByteBuffer, ByteOrder}
import java.nio.file.{Files, Path}

import andiron.testing.Sparks._
import andiron.{Bytes, Catalog, Loader, ReleasedException, UnknownVersionException, Version, VersionedData}
import andiron.testing.SuiteRunner

import org.apache.spark.sql.SparkSession
import org.junit.runner.RunWith
import org.scalatest.BeforeAndAfterAll
import org.scalatest.funsuite.AnyFunSuite

@RunWith(classOf[SuiteRunner])
class BytesSuite extends AnyFunSuite with BeforeAndAfterAll {
  private var spark: SparkSession = _
  private var directory: Path = _
  private var catalog: Catalog[Bytes] = _
  private val content = {
    val buffer = ByteBuffer.allocate(4096).order(ByteOrder.LITTLE_ENDIAN)
    buffer.put(Array[Byte](-1, 2)).putShort(-3).putInt(-4).putLong(Long.MinValue + 5).putFloat(1.5f).putDouble(-2.25)
    while (buffer.hasRemaining) buffer.put((buffer.position() % 251).toByte)
    buffer.array()
  }

  override def beforeAll(): Unit = {
    directory = Files.createTempDirectory("bytes")
    spark = start("local[2]")
    catalog = VersionedData.catalog(spark, "numbers", Seq(
      Version("v", source(directory, "v", content)), Version("w", source(directory, "w", "other"))), Loader.bytes)
  }

  override def afterAll(): Unit = {
    catalog.close()
    stop(spark)
    delete(directory)
  }

  private def withBytes[A](body: Bytes => A): A = {
    val lease = catalog.lease("v")
    try body(lease.value)
    finally lease.close()
  }

  test("numbers are little-endian and need no alignment") {
    withBytes { bytes =>
      assert(bytes.size == 4096 && bytes.getByte(0) == -1 && bytes.getByte(1) == 2)
      assert(bytes.getShort(2) == -3 && bytes.getInt(4) == -4 && bytes.getLong(8) == Long.MinValue + 5)
      assert(bytes.getFloat(16) == 1.5f && bytes.getDouble(20) == -2.25)
      assert(bytes.getInt(1) == ByteBuffer.wrap(content).order(ByteOrder.LITTLE_ENDIAN).getInt(1))
    }
  }

  test("copies, slices, buffers and streams show the same bytes") {
    withBytes { bytes =>
      assert(bytes.toArray(100, 1000).sameElements(content.slice(100, 1100)))
      val target = new Array[Byte](10)
      bytes.copyTo(4090, target, 3, 6)
      assert(target.slice(3, 9).sameElements(content.slice(4090, 4096)) && target(0) == 0 && target(9) == 0)
      val slice = bytes.slice(1000, 2000).slice(500, 100)
      assert(slice.size == 100 && slice.toArray(0, 100).sameElements(content.slice(1500, 1600)))
      val buffer = slice.buffer(10, 20)
      assert(buffer.isReadOnly && buffer.capacity == 20 && buffer.get(0) == content(1510) && buffer.order == ByteOrder.BIG_ENDIAN)
      val in = new DataInputStream(bytes.inputStream())
      assert(in.available() == 4096 && in.readByte() == -1)
      in.mark(0)
      in.skipBytes(999)
      val rest = new Array[Byte](3096)
      in.readFully(rest)
      assert(rest.sameElements(content.drop(1000)) && in.read() == -1 && in.read(rest) == -1)
      intercept[EOFException](in.readInt())
      in.reset()
      assert(in.readByte() == 2)
    }
  }

  test("what lies outside the bounds is an IndexOutOfBoundsException, never a read") {
    withBytes { bytes =>
      val reads = Seq[() => Any](
        () => bytes.getByte(-1), () => bytes.getByte(4096), () => bytes.getShort(4095), () => bytes.getInt(4093), () => bytes.getLong(4089),
        () => bytes.getLong(Long.MaxValue), () => bytes.getLong(Long.MinValue), () => bytes.getDouble(4090), () => bytes.getFloat(4094),
        () => bytes.slice(4000, 97), () => bytes.slice(-1, 2), () => bytes.slice(0, -1), () => bytes.slice(0, 10).getByte(10),
        () => bytes.buffer(4096, 1), () => bytes.buffer(0, -1), () => bytes.toArray(4000, 97), () => bytes.copyTo(0, new Array[Byte](4), 2, 3),
        () => bytes.copyTo(0, new Array[Byte](4), -1, 1), () => bytes.copyTo(4095, new Array[Byte](2)))
      reads.foreach(read => intercept[IndexOutOfBoundsException](read()))
      assert(bytes.slice(4096, 0).size == 0 && bytes.buffer(4096, 0).capacity == 0 && bytes.toArray(4096, 0).isEmpty)
    }
  }

  test("every call after the release throws, slices and streams included") {
    val lease = catalog.lease("v")
    val bytes = lease.value
    val slice = bytes.slice(0, 8)
    val in = bytes.inputStream()
    lease.close()
    lease.close()
    Seq[() => Any](() => bytes.getByte(0), () => bytes.getLong(0), () => slice.getInt(0), () => bytes.slice(0, 1), () => bytes.buffer(0, 1),
      () => bytes.copyTo(0, new Array[Byte](1)), () => in.read(), () => in.read(new Array[Byte](4)), () => lease.value).foreach { call =>
      assert(intercept[ReleasedException](call()).code == 114)
    }
  }

  test("the value of a cursor is released when it moves on, and comes back when it comes back") {
    val cursor = catalog.cursor()
    val first = cursor.advance("v")
    assert(cursor.advance("v") eq first)
    assert(cursor.advance(new String("v")) eq first)
    val second = cursor.advance("w")
    intercept[ReleasedException](first.getByte(0))
    assert(text(second) == "other")
    assert(cursor.advance("v").getByte(0) == -1)
    cursor.release()
    intercept[ReleasedException](second.getByte(0))
    assert(text(cursor.advance("w")) == "other")
    cursor.close()
    cursor.close()
    intercept[ReleasedException](cursor.advance("w"))
    intercept[ReleasedException](cursor.advance("v"))
  }

  test("an unknown version leaves a cursor where it was") {
    val cursor = catalog.cursor()
    val value = cursor.advance("v")
    intercept[UnknownVersionException](cursor.advance("nowhere"))
    intercept[UnknownVersionException](cursor.advance(null))
    assert(value.getByte(1) == 2 && (cursor.advance("v") eq value))
    assert(cursor.contains("w") && !cursor.contains("x") && !cursor.contains(null))
    cursor.close()
  }

  test("a ByteBuffer outlives lease, eviction, catalog and collection") {
    val other = VersionedData.catalog(spark, "short-lived", Seq(Version("v", source(directory, "buffer", content))), Loader.bytes)
    val buffer = {
      val lease = other.lease("v")
      val buffer = lease.value.buffer(0, 4096).slice().duplicate().order(ByteOrder.LITTLE_ENDIAN)
      lease.close()
      buffer
    }
    other.close()
    eventually("nothing resident")(stats(spark)("residentBytes") <= 4096 + 5)
    for (_ <- 0 until 5) {
      System.gc()
      System.runFinalization()
      Thread.sleep(20)
      assert(buffer.getInt(4) == -4 && buffer.getLong(8) == Long.MinValue + 5)
    }
    val copy = new Array[Byte](4096)
    buffer.get(copy)
    assert(copy.sameElements(content))
  }

  /** The exception that ends a thread that reads a lease's bytes repeatedly while the lease is closed. */
  private def outcomeOf(read: (Bytes, Long) => Unit): Any = {
    val lease = catalog.lease("v")
    val bytes = lease.value
    val expected = bytes.getLong(8)
    @volatile var outcome: Any = "running"
    val reader = new Thread(() => outcome = try { while (true) read(bytes, expected) } catch { case e: ReleasedException => e.code })
    reader.setDaemon(true)
    reader.start()
    Thread.sleep(5)
    lease.close()
    reader.join(10000)
    outcome
  }

  test("bytes that are scanned while another thread releases them give the old bytes or the exception") {
    @volatile var scans = 0
    for (_ <- 0 until 20)
      assert(outcomeOf { (bytes, expected) =>
        for (_ <- 0 until 1000) if (bytes.getLong(8) != expected) throw new AssertionError("other bytes")
        scans += 1
      } == 114)
  }

  test("bytes that are copied while another thread releases them give the old bytes or the exception") {
    val copy = new Array[Byte](8)
    for (_ <- 0 until 20)
      assert(outcomeOf { (bytes, expected) =>
        bytes.copyTo(8, copy)
        if (java.nio.ByteBuffer.wrap(copy).order(ByteOrder.LITTLE_ENDIAN).getLong != expected) throw new AssertionError("other bytes")
      } == 114)
  }

  test("an abandoned cursor outside any task is released by the garbage collector") {
    val before = stats(spark)("leases")
    def abandon(): Unit = { catalog.cursor().advance("w"); () }
    abandon()
    eventually("collected") {
      System.gc()
      stats(spark)("leases") == before
    }
  }

  test("a lease keeps its cursor alive while only its bytes are used") {
    def leased(): Bytes = catalog.lease("v").value
    val bytes = leased()
    for (_ <- 0 until 5) {
      System.gc()
      Thread.sleep(20)
    }
    assert(bytes.getByte(1) == 2 && stats(spark)("leases") >= 1)
    java.lang.ref.Reference.reachabilityFence(bytes)
  }
}
