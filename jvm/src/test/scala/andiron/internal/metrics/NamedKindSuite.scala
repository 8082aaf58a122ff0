package andiron.internal.metrics

import andiron.testing.MetricsSparks._
import andiron.testing.Sparks._
import andiron.testing.SuiteRunner

import org.apache.spark.RangePartitioner
import org.apache.spark.rdd.OrderedRDDFunctions
import org.apache.spark.sql.{Encoder, Encoders, SparkSession}
import org.apache.spark.util.{AccumulatorV2, LongAccumulator}
import org.junit.runner.RunWith
import org.scalatest.BeforeAndAfterAll
import org.scalatest.funsuite.AnyFunSuite

/** Accumulators that are no sums, additions on the driver, equal names, partial reads. */
@RunWith(classOf[SuiteRunner])
class NamedKindSuite extends AnyFunSuite with BeforeAndAfterAll {
  private var spark: SparkSession = _
  private val directory = java.nio.file.Files.createTempDirectory("named")
  private val Rows = 1000
  private implicit val longs: Encoder[Long] = Encoders.scalaLong

  override def beforeAll(): Unit = spark = start("local[2]", settings(directory): _*)

  override def afterAll(): Unit = {
    stop(spark)
    delete(directory)
  }

  private def numbers = spark.sparkContext.parallelize(0 until Rows, 8)

  private def counted(name: String, partitions: Int = 8) = {
    val accumulator = spark.sparkContext.longAccumulator(name)
    spark.sparkContext.parallelize(0 until Rows, partitions).map { n => accumulator.add(1); n }
  }

  private def one(name: String, value: Double): NamedFigure = {
    val figure = NamedFigures.one(spark, name)
    assert(figure.committed == value, figure)
    figure
  }

  private def exactly(name: String, value: Double): Unit = {
    val figure = one(name, value)
    assert(figure.exact && figure.reason.isEmpty, figure)
  }

  private def flagged(name: String, value: Double, why: String): Unit = {
    val figure = one(name, value)
    assert(!figure.exact && figure.reason.contains(why), figure)
  }

  /** As many figures as a union has branches, all of one value, and none is exact. */
  private def branches(name: String, count: Int, value: Double, why: String, kind: String = ""): Unit = {
    val figures = NamedFigures.of(spark, name)
    assert(figures.map(_.scope.replaceFirst("rdd:[0-9]+", "")).sorted == (1 to count).map(n => s"/branch:$n$kind").sorted, figures)
    assert(figures.forall(figure => figure.committed == value && !figure.exact && figure.reason.contains(why)), figures)
  }

  test("a maximum, a mean and a subclass of Spark's sum are shown as Spark merges them, not exact") {
    val (max, mean, twice) = (new Max, new Mean, new Twice)
    spark.sparkContext.register(max, "max")
    spark.sparkContext.register(mean, "mean")
    spark.sparkContext.register(twice, "twice")
    numbers.foreach { n =>
      max.add(n.toLong)
      mean.add(n.toDouble)
      twice.add(1L)
    }
    flagged("max", 999, "no sum")
    flagged("mean", 499.5, "no sum")
    flagged("twice", twice.value.toDouble, "no sum")
  }

  test("Spark's own sums are exact, of doubles too") {
    val (long, double) = (spark.sparkContext.longAccumulator("long"), spark.sparkContext.doubleAccumulator("double"))
    numbers.foreach { n =>
      long.add(n.toLong)
      double.add(0.5)
    }
    exactly("long", 499500)
    exactly("double", 500)
  }

  test("what the driver adds before, between or after the jobs is noticed") {
    for (when <- Seq("before", "between", "after")) {
      val accumulator = spark.sparkContext.longAccumulator(s"driver $when")
      val rows = numbers.map { n => accumulator.add(1); n }
      if (when == "before") accumulator.add(5)
      assert(rows.count() == Rows)
      if (when == "between") {
        accumulator.add(5)
        assert(rows.count() == Rows)
      }
      if (when == "after") accumulator.add(5)
      flagged(s"driver $when", Rows.toDouble, "5 were added on the driver, outside tasks")
    }
    val reset = spark.sparkContext.longAccumulator("reset")
    assert(numbers.map { n => reset.add(1); n }.count() == Rows)
    reset.reset()
    flagged("reset", Rows.toDouble, "on the driver")
  }

  test("accumulators of one name are numbered as they were made") {
    val (first, second) = (spark.sparkContext.longAccumulator("same"), spark.sparkContext.longAccumulator("same"))
    numbers.foreach(_ => second.add(2))
    numbers.foreach(_ => first.add(1))
    exactly("same", 1000)
    exactly("same #2", 2000)
  }

  test("take, isEmpty, runJob of a part: the figure is how often the function ran, and the reason says the part") {
    assert(counted("take").take(5).length == 5)
    flagged("take", 5, "1 of 8 partitions")
    assert(!counted("isEmpty").isEmpty())
    flagged("isEmpty", 1, "1 of 8 partitions")
    spark.sparkContext.setCallSite("nightly")
    try assert(counted("named take").take(5).length == 5)
    finally spark.sparkContext.clearCallSite()
    flagged("named take", 5, "1 of 8 partitions")
    assert(spark.sparkContext.runJob(counted("runJob"), (all: Iterator[Int]) => all.size, Seq(1, 2, 3)).sum == 375)
    flagged("runJob", 375, "3 of 8 partitions")
  }

  test("the only partition that take or lookup reads is the whole") {
    assert(counted("take of one", 1).take(5).length == 5)
    exactly("take of one", 5)
  }

  test("pruned partitions are a part, as the RDD says") {
    val pairs = numbers.map(n => (n, n))
    val accumulator = spark.sparkContext.longAccumulator("above pruned")
    val sorted = pairs.repartitionAndSortWithinPartitions(new RangePartitioner(8, pairs))
    val counting = sorted.mapPartitions({ all => all.map { row => accumulator.add(1); row } }, preservesPartitioning = true)
    val above = new OrderedRDDFunctions[Int, Int, (Int, Int)](counting).filterByRange(0, 99)
    assert(above.count() == 100)
    val figure = NamedFigures.one(spark, "above pruned")
    assert(figure.committed == accumulator.value.toDouble && figure.committed < Rows, figure)
    assert(!figure.exact && figure.reason.contains("pruned"), figure)
  }

  test("what is read to its end is exact, whatever the action is called") {
    assert(counted("iterator").toLocalIterator.size == Rows)
    exactly("iterator", Rows)
    assert(counted("take 5000").take(5000).length == Rows)
    exactly("take 5000", Rows)
    spark.sparkContext.setCallSite("take at Nightly.scala:1")
    try assert(counted("called take").count() == Rows)
    finally spark.sparkContext.clearCallSite()
    exactly("called take", Rows)
  }

  test("a take after a whole action leaves the whole action's figure") {
    val rows = counted("count, then take")
    assert(rows.count() == Rows && rows.take(5).length == 5)
    exactly("count, then take", Rows)
  }

  test("a limit below the counted map is exact, one above it says that a part was read") {
    val below = spark.sparkContext.longAccumulator("limit below")
    assert(spark.range(0, Rows, 1, 8).limit(10).map { n => below.add(1); n.toLong }.collect().length == 10)
    exactly("limit below", 10)
    val above = spark.sparkContext.longAccumulator("limit above")
    val rows = spark.range(0, Rows, 1, 8).map { n => above.add(1); n.toLong }
    assert(rows.limit(10).collect().length == 10)
    assert(!NamedFigures.one(spark, "limit above").exact)
    val inner = spark.sparkContext.longAccumulator("limit within")
    assert(spark.range(0, Rows, 1, 8).map { n => inner.add(1); n.toLong }.limit(10).groupBy("value").count().count() == 10)
    val figure = NamedFigures.one(spark, "limit within")
    assert(!figure.exact && figure.committed == inner.value.toDouble && figure.reason.contains("limit"), figure)
  }

  private def dataset(name: String) = {
    val accumulator = spark.sparkContext.longAccumulator(name)
    spark.range(0, Rows, 1, 8).map { n => accumulator.add(1); n.toLong }
  }

  test("a union of a Dataset with itself, and of an RDD, has a figure for each branch, none of them exact; one of two Datasets has one") {
    val rows = dataset("union with itself")
    assert(rows.union(rows).collect().length == 2 * Rows)
    branches("union with itself", 2, Rows, "a union has several branches of one plan")
    val grouped = dataset("union below a group")
    assert(grouped.union(grouped).union(grouped).groupBy("value").count().count() == Rows)
    branches("union below a group", 3, Rows, "a union has several branches of one plan", "/shuffle")
    val rdd = counted("rdd union with itself")
    assert(rdd.union(rdd).count() == 2 * Rows)
    branches("rdd union with itself", 2, Rows, "several times")
    val chains = counted("rdd union of two maps")
    assert(chains.map(_ + 1).union(chains.map(_ + 2)).union(chains).map(_ % 10).distinct().count() == 10)
    branches("rdd union of two maps", 3, Rows, "several times", "/shuffle")
    val two = spark.sparkContext.longAccumulator("union of two")
    val g = (n: java.lang.Long) => { two.add(1); n.toLong }
    assert(spark.range(0, Rows, 1, 8).map(g).union(spark.range(Rows, 2 * Rows, 1, 8).map(g)).collect().length == 2 * Rows)
    exactly("union of two", 2 * Rows)
  }

  test("a cached union with itself has a figure for each branch; one of cached rows has one, or is not exact") {
    val cached = dataset("cached union")
    val union = cached.union(cached).cache()
    assert(union.count() == 2 * Rows && union.count() == 2 * Rows)
    union.unpersist(true)
    branches("cached union", 2, Rows, "a union has several branches of one plan")
    val rows = counted("union of cached rows").persist()
    assert(rows.union(rows).count() == 2 * Rows)
    rows.unpersist(true)
    val figure = NamedFigures.one(spark, "union of cached rows")
    assert(!figure.exact && figure.reason.contains("several times"), figure)
  }

  test("of a union with itself, a take is of the branches that it has read") {
    val rows = counted("part of a union")
    assert(rows.union(rows).take(5).length == 5)
    branches("part of a union", 1, 5, "1 of 8 partitions")
  }

  test("a cartesian product is one by whatever name") {
    for (parts <- Seq(2, 3)) {
      val name = s"cartesian $parts"
      assert(spark.sparkContext.parallelize(0 until 3, parts).cartesian(counted(name, parts)).setName("joined").count() == 3 * Rows)
      assert(!NamedFigures.one(spark, name).exact)
    }
  }
}

/** Keeps a maximum. */
final class Max extends AccumulatorV2[java.lang.Long, java.lang.Long] {
  private var most = 0L
  override def isZero: Boolean = most == 0
  override def copy(): Max = { val made = new Max; made.most = most; made }
  override def reset(): Unit = most = 0
  override def add(n: java.lang.Long): Unit = most = math.max(most, n)
  override def merge(other: AccumulatorV2[java.lang.Long, java.lang.Long]): Unit = most = math.max(most, other.value)
  override def value: java.lang.Long = most
}

/** Keeps a mean. */
final class Mean extends AccumulatorV2[java.lang.Double, java.lang.Double] {
  private var (sum, count) = (0.0, 0L)
  override def isZero: Boolean = count == 0
  override def copy(): Mean = { val made = new Mean; made.merge(this); made }
  override def reset(): Unit = { sum = 0; count = 0 }
  override def add(n: java.lang.Double): Unit = { sum += n; count += 1 }
  override def merge(other: AccumulatorV2[java.lang.Double, java.lang.Double]): Unit = other match {
    case mean: Mean => sum += mean.sum; count += mean.count
    case _          => throw new IllegalArgumentException("no mean")
  }
  override def value: java.lang.Double = sum / count
}

/** A LongAccumulator that merges otherwise. */
final class Twice extends LongAccumulator {
  override def copy(): LongAccumulator = { val made = new Twice; made.merge(this); made }
  override def merge(other: AccumulatorV2[java.lang.Long, java.lang.Long]): Unit = super.add(2 * other.value)
}
