package andiron.internal.cache

import java.nio.file.{Files, Path}
import java.util.concurrent.{CountDownLatch, TimeUnit}

import andiron.testing.Sparks._
import andiron._
import andiron.testing.SuiteRunner

import org.apache.spark.sql.{Dataset, Encoders, Row, SparkSession}
import org.apache.spark.sql.functions.{col, lit}
import org.junit.runner.RunWith
import org.scalatest.{BeforeAndAfterAll, BeforeAndAfterEach}
import org.scalatest.funsuite.AnyFunSuite

/** Shared with the tasks, which run in the same process. */
object TakenBackSuite {
  @volatile var inside = new CountDownLatch(1)
  @volatile var mayLeave = new CountDownLatch(1)
}

/** Several cursors in one task: 12 versions of 1 MB each, a budget of 3. */
@RunWith(classOf[SuiteRunner])
class TakenBackSuite extends AnyFunSuite with BeforeAndAfterAll with BeforeAndAfterEach {
  private val MB = 1 << 20
  private var spark: SparkSession = _
  private var directory: Path = _
  private var made: Catalog[Bytes] = _
  private val names = (0 until 12).map(i => f"v$i%02d")

  override def beforeAll(): Unit = {
    directory = Files.createTempDirectory("taken-back")
    spark = start("local[2]",
      AndironConf.BudgetBytes.key -> "3m", AndironConf.HardLimitBytes.key -> "3m",
      AndironConf.OverdraftAfter.key -> "100ms", AndironConf.DeadlockAfter.key -> "2s")
    val versions = names.zipWithIndex.map { case (name, i) => Version(name, source(directory, name, Array.fill[Byte](MB)(i.toByte))) }
    made = VersionedData.catalog(spark, "megabytes", versions, Loader.bytes)
  }

  override def afterAll(): Unit = {
    made.close()
    stop(spark)
    delete(directory)
  }

  override def afterEach(): Unit =
    eventually(s"nothing held: ${stats(spark)}")(Seq("leases", "waiting", "cursors", "attempts").forall(stats(spark)(_) == 0))

  /** Twelve partitions of a thousand rows, each of another version. */
  private def rows = spark.range(0, 12000, 1, 12).selectExpr("id", "format_string('v%02d', id div 1000) as version")

  private def firsts(mapped: Dataset[java.lang.Long]): Seq[Long] =
    mapped.mapPartitions((partition: Iterator[java.lang.Long]) => partition.take(1))(Encoders.LONG).coalesce(1).collect().toSeq.map(_.longValue).sorted

  private val expected = (0L until 12L).map(i => i * 1000 + i)

  test("a task that reads each partition in part takes back what it left behind") {
    val (before, last) = (stats(spark), MB - 1)
    val mapped = rows.mapWithVersion(made, col("version"))((row: Row, value: Bytes) => Long.box(row.getLong(0) + value.getByte(last)))(Encoders.LONG)
    assert(firsts(mapped) == expected)
    assert(stats(spark)("overBudgetAdmissions") == before("overBudgetAdmissions") && stats(spark)("deadlockKills") == before("deadlockKills"))
  }

  test("so does one that uses the column function") {
    val last = MB - 1
    val f = made.udf((id: Long, value: Bytes) => id + value.getByte(last))
    assert(firsts(rows.select(f(col("version"), col("id"))).as(Encoders.LONG)) == expected)
  }

  test("an operator whose version was taken back takes it again with its next row") {
    val catalog = made // what a closure takes along must not be the suite
    val found = spark.sparkContext.parallelize(Seq(1), 1).mapPartitions { _ =>
      def operator(version: Int) = new VersionedIterator[Int, Bytes, Int](
        catalog, Iterator.tabulate(3)(i => (i, f"v$version%02d")), (i: Int, value: Bytes) => i + 100 * value.getByte(i.toLong * 1000))
      // Read in turn: four operators where there is room for three, and none over the budget.
      val operators = (0 until 4).map(operator)
      Iterator.tabulate(3)(i => operators.map(_.next()).map(_ - i)).flatten
    }.collect()
    assert(found.toSeq == Seq.fill(3)((0 until 4).map(_ * 100)).flatten)
  }

  test("what the user's function looks at is not taken from it by another thread of the task") {
    import TakenBackSuite._
    inside = new CountDownLatch(1)
    mayLeave = new CountDownLatch(1)
    val catalog = made // what a closure takes along must not be the suite
    val found = spark.sparkContext.parallelize(Seq(1), 1).map { _ =>
      val context = org.apache.spark.TaskContext.get()
      val busy = new VersionedIterator[Int, Bytes, Int](catalog, Iterator((0, "v00"), (1, "v00")), (_: Int, value: Bytes) => {
        inside.countDown()
        mayLeave.await(20, TimeUnit.SECONDS)
        value.getByte(1).toInt + 7
      })
      @volatile var first = 0
      val thread = new Thread(() => {
        org.apache.spark.andironshim.Probes.within(context) { first = busy.next() }
      })
      thread.start()
      inside.await(20, TimeUnit.SECONDS)
      // Two more fill the budget; a third takes one of these two back.
      val others = Seq("v01", "v02", "v03").map(name => new VersionedIterator[Int, Bytes, Int](catalog, Iterator((0, name)), (_: Int, value: Bytes) => value.getByte(0).toInt))
      val seen = others.map(other => other.next())
      mayLeave.countDown()
      thread.join()
      (first, seen.toList)
    }.first()
    assert(found == ((7, List(1, 2, 3))))
  }

  test("a group or partition that takes its lease by hand gives it back by hand") {
    val catalog = made // what a closure takes along must not be the suite
    val groups = rows.groupByKey((row: Row) => row.getString(1))(Encoders.STRING).mapGroups { (version: String, of: Iterator[Row]) =>
      val lease = catalog.lease(version)
      try Long.box(of.map(_.getLong(0)).min + lease.value.getByte(0))
      finally lease.close()
    }(Encoders.LONG)
    assert(groups.coalesce(1).collect().toSeq.map(_.longValue).sorted == expected)
    val partitions = rows.select(col("id"), col("version"), lit(1)).mapPartitionsWithCursor(catalog) { (partition: Iterator[Row], cursor: Cursor[Bytes]) =>
      val row = partition.next()
      val found = Long.box(row.getLong(0) + cursor.advance(row.getString(1)).getByte(0))
      cursor.close()
      Iterator(found)
    }(Encoders.LONG)
    assert(partitions.coalesce(1).collect().toSeq.map(_.longValue).sorted == expected)
  }
}
