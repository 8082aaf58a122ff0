package andiron.internal.cache

import java.nio.channels.{FileChannel, FileLock}
import java.nio.file.{Files, Path, Paths, StandardOpenOption}
import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.atomic.AtomicInteger

import andiron.testing.Sparks._
import andiron._
import andiron.testing.SuiteRunner

import org.apache.spark.sql.{Encoders, Row, SparkSession}
import org.apache.spark.sql.functions.col
import org.junit.runner.RunWith
import org.scalatest.BeforeAndAfterEach
import org.scalatest.funsuite.AnyFunSuite

/** Shared with the loader threads, which run in the same process. */
object OwnedValuesSuite {
  val opened = new AtomicInteger
  val closed = new AtomicInteger
  val closers: java.util.Set[String] = ConcurrentHashMap.newKeySet[String]()
  val shared = new Connection("shared")

  /** Counts how often it was opened and closed. */
  class Connection(val name: String) extends AutoCloseable {
    private val closes = new AtomicInteger
    opened.incrementAndGet()

    def isOpen: Boolean = closes.get == 0

    def timesClosed: Int = closes.get

    override def close(): Unit = {
      closes.incrementAndGet()
      closed.incrementAndGet()
      closers.add(Thread.currentThread().getName): Unit
    }
  }

  /** Like RocksDB: a second opening of a directory in one process fails by the directory's lock. */
  final class Locked(file: Path) extends Connection(file.toString) {
    private val channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)
    private val lock: FileLock = channel.lock()

    override def close(): Unit = {
      Thread.sleep(20)
      lock.release()
      channel.close()
      super.close()
    }
  }
}

/** Objects that need closing: twelve versions, of which the budget holds three. */
@RunWith(classOf[SuiteRunner])
class OwnedValuesSuite extends AnyFunSuite with BeforeAndAfterEach {
  import OwnedValuesSuite._

  private val names = (0 until 12).map(i => f"v$i%02d")
  private val budget = AndironConf.BudgetBytes.key -> "300"

  override def beforeEach(): Unit = {
    opened.set(0)
    closed.set(0)
    closers.clear()
  }

  private def read(spark: SparkSession, catalog: Catalog[_ <: Connection]): Unit = {
    val all = catalog.asInstanceOf[Catalog[Connection]]
    val names = spark.range(0, 120, 1, 4).selectExpr("format_string('v%02d', id % 12) as version").mapWithVersion(all, col("version")) { (_: Row, value: Connection) =>
      Thread.sleep(1)
      if (!value.isOpen) throw new IllegalStateException(s"${value.name} is closed while it is leased")
      value.name
    }(Encoders.STRING).collect()
    assert(names.distinct.length == 12)
  }

  private def versions(directory: Path): Seq[Version] = names.map(name => Version(name, Files.write(directory.resolve(name), Array[Byte](1)).toString, Some(100L)))

  private def allClosed(): Unit = eventually(s"${opened.get} opened, ${closed.get} closed")(opened.get >= 12 && closed.get == opened.get)

  test("each is closed once it has left memory, at the end of its catalog, and on loader threads") {
    withSpark("local[4]", budget) { spark =>
      val catalog = VersionedData.catalog(spark, "connections", names.map(Version(_, "nowhere", Some(100L))), Loader.custom(version => new Connection(version.name))(_ => 100L))
      read(spark, catalog)
      eventually(s"what has left memory is closed: ${opened.get} opened, ${closed.get} closed")(opened.get >= 12 && closed.get == opened.get - 3)
      val lease = catalog.lease("v00")
      catalog.close()
      eventually("only the leased one is left")(closed.get == opened.get - 1)
      assert(lease.value.isOpen)
      lease.close()
      allClosed()
      assert(closers.stream().allMatch(_.startsWith("andiron-loader")), closers)
      eventually(s"as figures: ${stats(spark)}")(stats(spark)("closedValues") >= opened.get && stats(spark)("closeFailures") == 0)
    }
  }

  test("the end of the application closes the rest") {
    withSpark("local[4]", budget) { spark =>
      val catalog = VersionedData.catalog(spark, "ended", names.map(Version(_, "nowhere", Some(100L))), Loader.custom(version => new Connection(version.name))(_ => 100L))
      read(spark, catalog)
    }
    assert(opened.get >= 12 && closed.get == opened.get, s"${opened.get} opened, ${closed.get} closed")
  }

  test("a version that comes back is opened when its earlier value is closed, also by another catalog") {
    withDirectory { directory =>
      withSpark("local[4]", budget, AndironConf.FailureMemory.key -> "0ms") { spark =>
        for (_ <- 0 until 3) {
          val catalog = VersionedData.catalog(spark, "locked", versions(directory), Loader.custom(version => new Locked(Paths.get(version.source)))(_ => 100L))
          read(spark, catalog)
          read(spark, catalog)
          catalog.close()
        }
        allClosed()
        assert(opened.get > 60, "versions came back")
      }
    }
  }

  test("release says how, for streams as well; one that throws is counted and changes nothing") {
    withDirectory { directory =>
      withSpark("local[4]", budget) { spark =>
        val custom = VersionedData.catalog(spark, "custom", versions(directory), Loader.custom(version => new Connection(version.name))(_ => 100L) { value =>
          value.close()
          throw new IllegalStateException("a release that throws")
        })
        read(spark, custom)
        custom.close()
        allClosed()
        eventually(s"counted: ${stats(spark)}")(stats(spark)("closeFailures") >= 12)
        val streams = VersionedData.catalog(spark, "streams", versions(directory), Loader.objects[Connection]((version, _) => new Connection(version.name), _ => 100L)(_.close()))
        read(spark, streams)
        streams.close()
        allClosed()
        val before = closed.get
        val kept = VersionedData.catalog(spark, "kept", versions(directory), Loader.custom(version => new Connection(version.name))(_ => 100L)(_ => ()))
        read(spark, kept)
        kept.close()
        eventually("nothing resident")(stats(spark)("residentVersions") == 0)
        Thread.sleep(500)
        assert(closed.get == before)
      }
    }
  }

  test("an object that is the value of several versions is closed once, with the last of them") {
    withSpark("local[4]", budget) { spark =>
      val catalog = VersionedData.catalog(spark, "shared", names.map(Version(_, "nowhere", Some(100L))), Loader.custom(_ => shared)(_ => 100L))
      names.foreach(name => spark.range(1).selectExpr(s"'$name' as version").mapWithVersion(catalog, col("version"))((_: Row, value: Connection) => value.isOpen)(Encoders.scalaBoolean).head())
      Thread.sleep(500)
      assert(shared.isOpen, "it is the value of three versions in memory")
      catalog.close()
      eventually("it is closed")(!shared.isOpen)
      Thread.sleep(300)
      assert(shared.timesClosed == 1)
    }
  }

  test("what no task got to see is closed: too large, or of a size that is none") {
    withSpark("local[2]", budget) { spark =>
      for ((size, i) <- Seq(500L, -1L).zipWithIndex) {
        val catalog = VersionedData.catalog(spark, "refused", Seq(Version("v", "nowhere")), Loader.custom(version => new Connection(version.name))(_ => size))
        intercept[AndironException](catalog.lease("v"))
        eventually(s"${opened.get} opened, ${closed.get} closed")(opened.get == i + 1 && closed.get == i + 1)
        catalog.close()
      }
    }
  }
}
