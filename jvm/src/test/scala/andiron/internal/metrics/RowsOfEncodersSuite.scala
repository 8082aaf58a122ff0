package andiron.internal.metrics

import andiron._
import andiron.testing.MetricsSparks._
import andiron.testing.Sparks._
import andiron.testing.SuiteRunner

import org.apache.spark.sql.{Dataset, Encoder, Encoders, Row, SparkSession}
import org.apache.spark.sql.types.{LongType, StringType, StructField, StructType}
import org.junit.runner.RunWith
import org.scalatest.BeforeAndAfterAll
import org.scalatest.funsuite.AnyFunSuite

final case class Named(id: Long, name: String)
final case class Several(id: Long, values: Seq[Long])

/** A sequence that is computed while it is read. */
final class Lazily(n: Int, value: Int => Long) extends scala.collection.immutable.Seq[Long] {
  override def length: Int = n
  override def apply(at: Int): Long = value(at)
  override def iterator: Iterator[Long] = Iterator.range(0, n).map(value)
}

/** Rows that a step's own decoder or encoder trips over. */
@RunWith(classOf[SuiteRunner])
class RowsOfEncodersSuite extends AnyFunSuite with BeforeAndAfterAll {
  private var spark: SparkSession = _
  private val directory = java.nio.file.Files.createTempDirectory("encoders")
  private implicit val named: Encoder[Named] = Encoders.product[Named]
  private implicit val several: Encoder[Several] = Encoders.product[Several]

  override def beforeAll(): Unit = spark = start("local[2]", settings(directory): _*)

  override def afterAll(): Unit = {
    stop(spark)
    delete(directory)
  }

  private def range(partitions: Int = 2): Dataset[java.lang.Long] = spark.range(0, 10, 1, partitions)

  /** 3 is null. */
  private def holed(spark: SparkSession): Dataset[Int] = spark.range(0, 10, 1, 2).selectExpr("if(id = 3, null, cast(id as int)) as n").as[Int](Encoders.scalaInt)

  private def counted(step: Step, in: Long, out: Long, dropped: Long): Unit = {
    val found = step.figures
    assert((found.in, found.out, found.dropped, found.exact) == ((in, out, dropped, true)), found)
  }

  private def sampled(texts: String*): Unit = {
    assert(andiron.internal.metrics.MetricsApplication.of(spark.sparkContext).get.flush(20000))
    val log = logged(directory)
    texts.foreach(text => assert(log.contains(text), text))
  }

  test("null into Int: the row is dropped, counted and shown by its columns") {
    val step = Step(spark, "null into Int")
    assert(step.map(holed(spark))(_ + 1)(Encoders.scalaInt).collect().toSet == (0 until 10).filter(_ != 3).map(_ + 1).toSet)
    counted(step, 10, 9, 1)
    sampled("[n=null]", "null into Int")
  }

  test("null into Int, in filter, flatMap and count") {
    val filter = Step(spark, "filter null")
    assert(filter.filter(holed(spark))(_ > 4).collect().toSet == (5 until 10).toSet)
    counted(filter, 10, 5, 1)
    val flat = Step(spark, "flatMap null")
    assert(flat.flatMap(holed(spark))(n => Seq.fill(n)(n))(Encoders.scalaInt).collect().toSeq.sorted == (0 until 10).filter(_ != 3).flatMap(n => Seq.fill(n)(n)))
    counted(flat, 10, 42, 1)
    val count = Step(spark, "count null")
    assert(count.count(holed(spark)).collect().toSet == (0 until 10).filter(_ != 3).toSet)
    counted(count, 10, 9, 1)
  }

  test("a user's description stands for all that may be shown of a row") {
    val step = Step(spark, "described")
    val rows = spark.range(0, 4, 1, 1).selectExpr("if(id = 3, null, id) as id", "concat('n', id + 7700) as name").as[Named]
    val result = step.describe[Named](row => s"row ${row.id}").map(rows)(row => if (row.id == 1) sys.error("one") else row)
    assert(result.collect().map(_.id).toSet == Set(0, 2))
    counted(step, 4, 2, 2)
    sampled("row 1", "(cannot be read")
    assert(!logged(directory).contains("n7703"))
  }

  test("null for a case class, and for one with a key") {
    val step = Step(spark, "null result")
    val result = step.keyed[java.lang.Long](n => s"key-$n").map(range())(n => if (n == 3) null else Named(n, s"n$n"))
    assert(result.collect().toSet == (0L until 10).filter(_ != 3).map(n => Named(n, s"n$n")).toSet)
    counted(step, 10, 9, 1)
    sampled("key-3")
  }

  test("a Row that does not fit") {
    val schema = StructType(Seq(StructField("id", LongType, nullable = false), StructField("name", StringType)))
    val step = Step(spark, "no fit")
    val rows = step.map(range()) { n =>
      if (n == 3) Row("three", 3) else if (n == 4) Row() else if (n == 5) null else if (n == 6) Row(null, "six") else Row(n.longValue, s"n$n")
    }(Encoders.row(schema))
    assert(rows.collect().map(_.getLong(0)).toSet == Set(0L, 1L, 2L, 7L, 8L, 9L))
    counted(step, 10, 6, 4)
  }

  test("what a lazy sequence computes while it is encoded is the row's, and counts for it") {
    val step = Step(spark, "lazy")
    val read = step.counter("read")
    val rows = step.map(range())(n => Several(n, new Lazily(3, at => if (n == 3 && at == 2) sys.error("too lazy") else { read.increment(); at + n })))
    assert(rows.collect().toSet == (0L until 10).filter(_ != 3).map(n => Several(n, Vector(n, n + 1, n + 2))).toSet)
    counted(step, 10, 9, 1)
    assert(step.figures("read") == 29, step.figures)
    sampled("too lazy")
  }

  test("a row of which flatMap makes one that cannot be encoded is dropped as a whole") {
    val step = Step(spark, "flat")
    val rows = step.flatMap(range())(n => Seq(Named(n, "a"), if (n == 3) null else Named(n, s"b$n"), Named(n, "c")).take((n % 4).toInt + (if (n == 3) 0 else 1)))
    val expected = (0L until 10).filter(_ != 3).flatMap(n => Seq(Named(n, "a"), Named(n, s"b$n"), Named(n, "c")).take((n % 4).toInt + 1))
    assert(rows.collect().toSeq.sortBy(row => (row.id, row.name)) == expected)
    counted(step, 10, expected.size, 1)
  }

  test("an overflow of the encoder under ANSI") {
    spark.conf.set("spark.sql.ansi.enabled", "true")
    try {
      val step = Step(spark, "overflow")
      val rows = step.map(range())(n => if (n == 3) new java.math.BigDecimal("1e30") else java.math.BigDecimal.valueOf(n))(Encoders.DECIMAL)
      assert(rows.collect().map(_.longValue).toSet == (0L until 10).filter(_ != 3).toSet)
      counted(step, 10, 9, 1)
    } finally spark.conf.unset("spark.sql.ansi.enabled")
  }

  test("what an expression of the input throws is the job's") {
    val step = Step(spark, "upstream")
    val rows = spark.range(0, 10, 1, 2).selectExpr("cast(if(id = 3, raise_error('upstream of it'), cast(id as string)) as string) as s").as[String](Encoders.STRING)
    val e = intercept[Exception](step.map(rows)(_.length)(Encoders.scalaInt).collect())
    assert(s"$e ${e.getCause}".contains("upstream of it"), e)
    // Spark's own code computes a row in `hasNext`, an RDD's function in `next`.
    val elements = spark.sparkContext.range(0, 10, 1, 2).map(id => if (id == 3) sys.error("upstream of them") else id)
    val ofRdd = intercept[Exception](step.map(elements)(_ + 1).collect())
    assert(ofRdd.getMessage.contains("upstream of them"), ofRdd)
    assert(step.figures.dropped == 0, step.figures)
  }

  test("through a cache, a shuffle, a join with itself and a typed operator after it") {
    val step = Step(spark, "plans")
    val rows = step.map(range(4))(n => if (n == 3) null else Named(n, s"n${n % 2}"))
    val cached = rows.cache()
    assert(cached.count() == 9 && cached.groupBy("name").count().collect().map(_.getLong(1)).sum == 9)
    counted(step, 10, 9, 1)
    cached.unpersist(true)
    assert(rows.as("a").join(rows.as("b"), "id").count() == 9)
    val next = Step(spark, "next")
    val lengths = next.map(rows.filter((row: Named) => row == null || row.id > 0))(row => row.name.length)(Encoders.scalaInt)
    assert(lengths.collect().toSeq == Seq.fill(8)(2))
    assert(next.figures.dropped + next.figures.out >= 8, next.figures)
  }

  test("a gate judges what could not be encoded") {
    val step = Step(spark, "gated")
    val path = directory.resolve("gated").toString
    val gate = Gate(step, maxDropRatio = 0.05)
    val rows = step.map(range())(n => if (n == 3) null else Named(n, s"n$n"))
    val e = intercept[Exception](rows.write.parquet(path))
    assert(Iterator.iterate[Throwable](e)(_.getCause).takeWhile(_ != null).exists(_.isInstanceOf[GateException]), e)
    intercept[GateException](Andiron.guard(gate)(rows.collect()))
  }

  test("all rows dropped by the encoder fail a write") {
    val step = Step(spark, "all null")
    val rows = step.map(range())(_ => null: Named)
    intercept[Exception](rows.write.parquet(directory.resolve("none").toString))
  }
}

/** The same where nothing is counted. */
@RunWith(classOf[SuiteRunner])
class RowsOfEncodersOffSuite extends AnyFunSuite {
  for ((name, conf) <- Seq("without the plugin" -> Nil, "with metrics turned off" -> Seq("spark.plugins" -> "andiron.AndironPlugin", "spark.andiron.metrics.enabled" -> "false")))
    test(s"$name a row that cannot be read or written is dropped") {
      withSpark("local[2]", conf: _*) { spark =>
        val step = Step(spark, "off")
        val rows = spark.range(0, 10, 1, 2).selectExpr("if(id = 3, null, cast(id as int)) as n").as[Int](Encoders.scalaInt)
        val made = step.map(rows)(n => if (n == 4) null else Named(n, s"n$n"))(Encoders.product[Named])
        assert(made.collect().map(_.id).toSet == (0L until 10).filter(n => n != 3 && n != 4).toSet)
        assert(step.figures.counters.isEmpty)
      }
    }
}
