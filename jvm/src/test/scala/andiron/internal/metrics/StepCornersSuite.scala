package andiron.internal.metrics

import andiron._
import andiron.testing.MetricsSparks._
import andiron.testing.Sparks._
import andiron.testing.SuiteRunner

import org.apache.spark.rdd.RDD
import org.apache.spark.sql.{Encoders, Row, SparkSession}
import org.apache.spark.sql.functions.{broadcast, col}
import org.apache.spark.storage.StorageLevel
import org.junit.runner.RunWith
import org.scalatest.BeforeAndAfterAll
import org.scalatest.funsuite.AnyFunSuite

/** Steps under rare behaviour of Spark or of the user's function. */
@RunWith(classOf[SuiteRunner])
class StepCornersSuite extends AnyFunSuite with BeforeAndAfterAll {
  private var spark: SparkSession = _
  private val directory = java.nio.file.Files.createTempDirectory("corners")

  override def beforeAll(): Unit = spark = start("local[2]", settings(directory): _*)

  override def afterAll(): Unit = {
    stop(spark)
    delete(directory)
  }

  private def numbers(partitions: Int = 4): RDD[Int] = spark.sparkContext.parallelize(0 until 1000, partitions)

  private def range(partitions: Int = 4) = spark.range(0, 1000, 1, partitions)

  private def sent(value: AnyRef): String = intercept[org.apache.spark.SparkException] {
    numbers().map(n => if (value == null) n else n + value.hashCode).count()
  }.getCause match {
    case e: java.io.NotSerializableException => e.getMessage
    case e                                   => fail("another cause", e)
  }

  test("a step, its operators and its gate stay on the driver, and say what a function takes along") {
    val step = Step(spark, "stays")
    for ((value, name) <- Seq[(AnyRef, String)](step -> "andiron.Step", step.keyed[Int](identity) -> "andiron.StepRows", Gate(step) -> "andiron.Gate")) {
      val message = sent(value)
      for (part <- Seq(s"$name: it stays on the driver", "counter")) assert(message.contains(part), message)
    }
    val hits = step.counter("own")
    assert(step.map(numbers()) { n => hits.increment(); n }.count() == 1000)
    exactly(step, 1000, own = 1000)
  }

  private def exactly(step: Step, in: Long, own: Long = 0): Unit = {
    val figures = step.figures
    assert((figures.in, figures("own"), figures.exact) == ((in, own, true)), figures)
    step.close()
    assert(step.figures == figures)
  }

  private def plan(name: String, times: Int = 1)(body: Step => Unit): Unit = test(name) {
    val step = Step(spark, name)
    body(step)
    exactly(step, times * 1000L)
  }

  test("threads that a row's function starts count for it, each addition once") {
    val step = Step(spark, "threads")
    val own = step.counter("own")
    val rows = step.map(spark.sparkContext.parallelize(0 until 20, 2)) { n =>
      val threads = Seq.fill(4)(new Thread(() => for (_ <- 0 until 5000) assert(own.increment())))
      threads.foreach(_.start())
      for (_ <- 0 until 5000) own.increment()
      threads.foreach(_.join())
      n
    }
    assert(rows.count() == 20)
    exactly(step, 20, 20 * 5 * 5000)
  }

  test("operators of one step on both sides of a pipe, whose input another thread of the task writes") {
    val step = Step(spark, "pipe")
    val own = step.counter("own")
    val lines = spark.sparkContext.parallelize(0 until 100000, 2)
    val before = step.map(lines) { n => assert(own.increment()); s"$n" }
    val after = step.map(before.pipe("cat")) { line => assert(own.increment()); line }
    assert(after.count() == 100000)
    exactly(step, 200000, 200000)
  }

  test("a step has a bounded number of counters") {
    val step = Step(spark, "many counters")
    val all = (0 until 252).map(n => step.counter(s"counter-$n"))
    assert(intercept[SettingException](step.counter("one more")).getMessage.contains("252 counters"))
    assert(step.counter("counter-7").name == "counter-7")
    val last = all.last
    step.map(numbers()) { n => last.increment(); n }.count()
    assert(step.figures("counter-251") == 1000 && step.figures.exact, step.figures)
    step.close()
  }

  test("half a character in a failed row costs neither counts nor the sample") {
    val step = Step(spark, "half")
    val rows = step.keyed[Int](n => s"key-$n-\ud83d").map(spark.sparkContext.parallelize(0 until 10, 1)) { n =>
      if (n == 7) throw new IllegalStateException("cut in the middle: \udc00") else n
    }
    assert(rows.count() == 9)
    assert(andiron.internal.metrics.MetricsApplication.of(spark.sparkContext).get.flush(20000))
    assert(logged(directory).contains("key-7-?") && logged(directory).contains("cut in the middle: ?"))
    exactly(step, 10)
  }

  private def samples(rows: Seq[(String, String)]): Seq[String] = {
    val handle = new StepHandle(1, "order", new StepAccumulator, SampleLimits(500, 60000, 1L << 40))
    val cell = new StepCell(handle, StepSite(1, "map at Job.scala:1"), 1, 0, 1, mayBeKept = false, null)
    val kept = new FailureSamples(cell)
    val view = RowView[(String, String)](Some(_._1), Some(_._2), None, None)
    rows.foreach(row => kept.add(new FailedRow.Read(row, view), new IllegalStateException("gone")))
    kept.toSeq.map(_.rowKey.get)
  }

  test("the samples are the same in every order, whatever the sizes of rows") {
    val dice = new scala.util.Random(1)
    for (_ <- 0 until 300) {
      val rows = (0 until 12).map(n => (s"row-$n", "x" * (if (dice.nextInt(4) == 0) 40000 else dice.nextInt(12000))))
      val expected = samples(rows)
      for (_ <- 0 until 10) assert(samples(dice.shuffle(rows)) == expected, rows.map(row => row._1 -> row._2.length))
    }
  }

  test("rows with arrays in them are shown by what is in the arrays") {
    val view = RowView.plain[Any]
    assert(view.recordOf(Row(1, Array[Byte](1, -1), "a")) == "[1,0x01ff,a]")
    assert(view.recordOf(Features("m", Array(1.5, 2), Some(Array(Array(3))))) == "Features(m,[1.5, 2.0],Some([[3]]))")
    assert(view.recordOf((List(Array(1, 2)), 3)) == "([[1, 2]],3)")
    assert(view.recordOf(Row(1, "a", null)) == Row(1, "a", null).toString && view.recordOf(null) == "null")
    val endless = new Iterable[Int] {
      override def iterator: Iterator[Int] = Iterator.continually(1)
      override def toString: String = "endless"
    }
    assert(view.recordOf(Some(endless)) == "Some(endless)")
  }

  test("an instance without partitions names no stage") {
    val cell = CellEncoder.empty(new StepHandle(1, "empty", new StepAccumulator, SampleLimits(1, 1, 1)), StepSite(1, "map"), 1)
    assert(java.nio.ByteBuffer.wrap(cell).order(java.nio.ByteOrder.LITTLE_ENDIAN).getInt(36) == -1)
  }

  plan("Dataset.rdd, twice") { step =>
    val rdd = step.map(range())(n => n + 1)(Encoders.scalaLong).rdd
    assert(rdd.count() == 1000 && rdd.repartition(3).count() == 1000)
  }

  plan("zip with itself") { step =>
    val rows = step.map(numbers())(_ + 1)
    assert(rows.zip(rows).count() == 1000)
  }

  plan("a checkpoint, which computes again") { step =>
    val rows = step.map(numbers())(_ + 1)
    rows.localCheckpoint()
    assert(rows.count() == 1000 && rows.count() == 1000)
  }

  plan("a Dataset's checkpoint") { step =>
    val rows = step.map(range())(n => n + 1)(Encoders.scalaLong).localCheckpoint()
    assert(rows.count() == 1000)
  }

  plan("a cache on disk, and one that is too large for memory") { step =>
    val rows = step.map(range())(n => n + 1)(Encoders.scalaLong).persist(StorageLevel.DISK_ONLY)
    assert(rows.count() == 1000 && rows.where("value > 3").count() > 0)
    rows.unpersist(true)
    assert(rows.count() == 1000)
  }

  plan("a join with itself, with an exchange that is reused") { step =>
    val rows = step.map(range())(n => n % 50)(Encoders.scalaLong).toDF("k").groupBy("k").count()
    assert(rows.as("a").join(rows.as("b"), "k").count() == 50)
  }

  plan("the broadcast side of a join") { step =>
    val small = step.map(range(2))(n => n + 0L)(Encoders.scalaLong).toDF("id")
    assert(range().toDF("id").join(broadcast(small), "id").count() == 1000)
  }

  plan("two operators in one stage", times = 2) { step =>
    val first = step.map(range())(n => n + 1)(Encoders.scalaLong)
    assert(step.filter(first)(_ > 0).count() == 1000)
  }

  test("unions with itself as Datasets: one instance of several, which are not added up") {
    val step = Step(spark, "unions")
    val rows = step.map(range())(n => if (n % 100 == 7) sys.error("bad") else n + 1)(Encoders.scalaLong)
    assert(rows.union(rows).count() == 2 * 990)
    val two = step.figures
    assert((two.in, two.dropped, two.exact) == ((1000, 10, false)) && two.reason.contains("its query has 2 instances of this operator"), two)
    assert(Seq.fill(12)(rows).reduce(_ union _).count() == 12 * 990)
    val twelve = step.figures
    assert((twelve.in, twelve.dropped, twelve.exact) == ((1000, 10, false)) && twelve.reason.contains("its query has 12 instances"), twelve)
    assert(rows.count() == 990)
    exactly(step, 1000)
  }

  plan("a barrier stage") { step => assert(step.map(numbers(2))(_ + 1).barrier().mapPartitions(rows => rows).count() == 1000) }

  plan("a sub-query") { step =>
    step.map(range())(n => n + 1)(Encoders.scalaLong).createOrReplaceTempView("corner")
    assert(spark.sql("SELECT count(*) FROM range(10) WHERE id < (SELECT max(value) FROM corner)").head().getLong(0) == 10)
  }

  plan("a sample of the rows, and a sort") { step =>
    val rows = step.map(range(8))(n => n + 1)(Encoders.scalaLong)
    assert(rows.randomSplit(Array(0.5, 0.5), 7).map(_.count()).sum == 1000)
    assert(rows.sort(col("value").desc).head() == 1000)
  }

  test("what another session makes of a step's view is counted") {
    val step = Step(spark, "other session")
    step.map(range())(n => n + 1)(Encoders.scalaLong).createOrReplaceGlobalTempView("counted")
    assert(spark.newSession().table("global_temp.counted").count() == 1000)
    exactly(step, 1000)
  }
}

final case class Features(member: String, values: Array[Double], more: Option[Array[Array[Int]]])
