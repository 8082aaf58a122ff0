package andiron.internal.metrics

import andiron._
import andiron.testing.MetricsSparks._
import andiron.testing.Sparks._
import andiron.testing.SuiteRunner

import org.apache.spark.sql.{Dataset, Encoders, Row, SparkSession}
import org.junit.runner.RunWith
import org.scalatest.BeforeAndAfterAll
import org.scalatest.funsuite.AnyFunSuite

object StepSuite {
  def recurse(n: Int): Int = 1 + recurse(n + 1)
}

@RunWith(classOf[SuiteRunner])
class StepSuite extends AnyFunSuite with BeforeAndAfterAll {
  private var spark: SparkSession = _
  private val directory = java.nio.file.Files.createTempDirectory("steps")

  override def beforeAll(): Unit = spark = start("local[2]", settings(directory): _*)

  override def afterAll(): Unit = {
    stop(spark)
    delete(directory)
  }

  private def numbers(rows: Long, partitions: Int): Dataset[java.lang.Long] = spark.range(0, rows, 1, partitions)

  private def figures(step: Step, in: Long, out: Long, dropped: Long): Unit = {
    val found = step.figures
    assert((found.in, found.out, found.dropped) == ((in, out, dropped)), found)
    assert(found.exact, found)
  }

  test("a Dataset's rows are mapped, those that throw are dropped and counted, and so are the user's own") {
    val step = Step(spark, "map-dataset")
    val even = step.counter("even")
    val result = step.map(numbers(1000, 4)) { n =>
      if (n % 10 == 3) throw new IllegalArgumentException(s"no history of $n")
      if (n % 2 == 0) even.increment()
      n * 2
    }(Encoders.scalaLong)
    assert(result.collect().toSet == (0L until 1000).filter(_ % 10 != 3).map(_ * 2).toSet)
    figures(step, 1000, 900, 100)
    assert(step.figures("even") == 500)
    step.close()
  }

  test("an RDD's rows are mapped, flattened, filtered and counted") {
    val step = Step(spark, "map-rdd")
    val rows = spark.sparkContext.parallelize(0 until 100, 5)
    assert(step.map(rows)(n => 10 / (n % 10)).count() == 90)
    figures(step, 100, 90, 10)
    val flat = Step(spark, "flat-rdd")
    assert(flat.flatMap(rows)(n => if (n == 7) sys.error("seven") else Seq.fill(n % 3)(n)).collect().length == 98)
    figures(flat, 100, 98, 1)
    val filter = Step(spark, "filter-rdd")
    assert(filter.filter(rows)(n => 10 / n > 0).collect().toSeq == (1 to 10))
    figures(filter, 100, 10, 1)
    val count = Step(spark, "count-rdd")
    assert(count.count(rows).collect().toSeq == (0 until 100))
    figures(count, 100, 100, 0)
  }

  test("a DataFrame's rows are filtered and counted as they are") {
    val step = Step(spark, "data-frame")
    val frame = spark.range(0, 50, 1, 3).selectExpr("id", "concat('n', id) as name", "map('a', id) as m")
    val kept = step.filter(step.count(frame))((row: Row) => row.getLong(0) % 2 == 0)
    assert(kept.collect().toSeq == frame.where("id % 2 = 0").collect().toSeq)
    assert(step.figures.in == 100 && step.figures.out == 75 && step.figures.exact, step.figures)
  }

  test("the plan shows the step, and two actions on a Dataset count once") {
    val step = Step(spark, "twice")
    val mapped = step.map(numbers(300, 3))(n => n + 1)(Encoders.scalaLong)
    assert(mapped.queryExecution.executedPlan.toString.contains("AndironStep twice: map at StepSuite.scala:"))
    assert(mapped.count() == 300 && mapped.count() == 300)
    figures(step, 300, 300, 0)
  }

  test("a cell of a notebook that is run again has figures of its own") {
    val all = (1 to 3).map { run =>
      val step = Step(spark, "notebook")
      val own = step.counter("own")
      assert(step.map(spark.sparkContext.parallelize(0 until 1000, 4)) { n => own.increment(); n }.count() == 1000)
      figures(step, 1000, 1000, 0)
      assert(step.figures("own") == 1000, run)
      step
    }
    all.foreach(figures(_, 1000, 1000, 0))
    val report = Andiron.report(spark)
    assert(report.contains("notebook"), report)
  }

  test("empty partitions and empty inputs are covered") {
    val step = Step(spark, "empty")
    assert(step.map(spark.sparkContext.parallelize(Seq.empty[Int], 3))(_ + 1).count() == 0)
    figures(step, 0, 0, 0)
    val none = Step(spark, "none")
    assert(none.map(spark.sparkContext.emptyRDD[Int])(_ + 1).collect().isEmpty)
    figures(none, 0, 0, 0)
  }

  test("a key, a description, a version and a redaction stand in the samples") {
    val step = Step(spark, "samples")
    val rows = step.keyed[java.lang.Long](n => s"member-$n").describe(n => s"secret row $n").version(n => s"v${n % 2}").redact(_.replace("secret", "*"))
    rows.map(numbers(100, 2))(n => if (n % 25 == 0) throw new IllegalStateException(s"secret $n") else n)(Encoders.LONG).collect()
    val application = andiron.internal.metrics.MetricsApplication.of(spark.sparkContext).get
    assert(application.flush(20000))
    val log = logged(directory)
    Seq("IllegalStateException", "member-25", "* row 50", "v1", "StepSuite.scala").foreach(part => assert(log.contains(part), part))
    assert(!log.contains("secret"))
    val report = Andiron.report(spark)
    Seq("samples", "IllegalStateException", "collect at StepSuite.scala", "member-25").foreach(part => assert(report.contains(part), report))
    assert(Andiron.reportHtml(spark).contains("</html>"))
  }

  test("what is not a row's failure is not dropped") {
    val step = Step(spark, "fatal")
    val rows = spark.sparkContext.parallelize(0 until 10, 1)
    val e = intercept[org.apache.spark.SparkException](step.map(rows)(n => if (n == 5) throw new NoClassDefFoundError("lost/Class") else n).count())
    assert(e.getMessage.contains("lost/Class"))
    assert(step.map(rows)(n => if (n == 5) StepSuite.recurse(n) else n).count() == 9)
  }

  test("a closed step, an empty name and a counter with a name of ours are refused") {
    val step = Step(spark, "closed")
    Seq("in", "out", "dropped", "").foreach(name => intercept[SettingException](step.counter(name)))
    step.close()
    step.close()
    intercept[ReleasedException](step.map(numbers(1, 1))(n => n)(Encoders.LONG))
    intercept[SettingException](Step(spark, " "))
  }
}

/** Where metrics are off the rows are the same. */
@RunWith(classOf[SuiteRunner])
class StepOffSuite extends AnyFunSuite {
  private def rows(spark: SparkSession): (Set[Long], StepFigures) = {
    val step = Step(spark, "off")
    val counter = step.counter("own")
    val result = step.map(spark.range(0, 100, 1, 3)) { n => counter.increment(); 100 / (n % 10) }(Encoders.scalaLong).collect().toSet
    (result, step.figures)
  }

  for ((name, conf) <- Seq(
      "without the plugin" -> Nil,
      "with metrics turned off" -> Seq("spark.plugins" -> "andiron.AndironPlugin", "spark.andiron.metrics.enabled" -> "false"),
      "with Andiron turned off" -> Seq("spark.plugins" -> "andiron.AndironPlugin", "spark.andiron.enabled" -> "false")))
    test(s"$name steps compute the same rows, and a gate fails for want of figures") {
      withSpark("local[2]", conf :+ (AndironConf.GateWhenOff.key -> "warn"): _*) { spark =>
        val (result, figures) = rows(spark)
        assert(result == (1 to 9).map(n => 100L / n).toSet)
        assert(!figures.exact && figures.counters.isEmpty && figures.reason.nonEmpty)
        val step = Step(spark, "gated")
        val gate = Gate(step)
        assert(intercept[GateException](Andiron.guard(gate)(1)).code == 201)
      }
    }
}

/** Several executors. */
@RunWith(classOf[SuiteRunner])
class StepClusterSuite extends AnyFunSuite {
  test("cells come from executors, and the failing attempts of a task count once") {
    withMetrics("local-cluster[2,1,1024]", "spark.executor.memory" -> "512m") { spark =>
      val step = Step(spark, "cluster")
      val own = step.counter("own")
      val rows = spark.sparkContext.parallelize(0 until 1000, 8)
      val sum = step.map(rows) { n =>
        own.add(2)
        if (n % 100 == 0) sys.error("hundred")
        n
      }.mapPartitionsWithIndex { (index, values) =>
        val all = values.toVector
        if (index == 3 && org.apache.spark.TaskContext.get().attemptNumber() < 2) sys.error("this attempt fails")
        all.iterator
      }.sum()
      assert(sum == (0 until 1000).filter(_ % 100 != 0).sum)
      val figures = step.figures
      assert(figures.in == 1000 && figures.out == 990 && figures.dropped == 10 && figures("own") == 2000 && figures.exact, figures)
    }
  }

  test("a counter counts by a broadcast, and executors tell what is added after the end of a task") {
    withMetrics("local-cluster[2,1,1024]", "spark.executor.memory" -> "512m") { spark =>
      val step = Step(spark, "cluster counters")
      val own = step.counter("own")
      val shared = spark.sparkContext.broadcast(own)
      val rows = step.map(spark.sparkContext.parallelize(0 until 1000, 8)) { n =>
        if (n < 12) new Thread(() => { Thread.sleep(2000); own.increment(); () }).start() else assert(shared.value.increment())
        n
      }
      assert(rows.count() == 1000 && step.figures("own") == 988, step.figures)
      val end = System.nanoTime() + 60000000000L
      while (!step.figures.reason.contains("12 additions") && System.nanoTime() < end) Thread.sleep(100)
      val figures = step.figures
      assert((figures.in, figures("own"), figures.exact) == ((1000, 988, false)) && figures.reason.contains("12 additions"), figures)
    }
  }
}

/** The cells of a task merge in any order, and any number of times. */
@RunWith(classOf[SuiteRunner])
class StepAccumulatorSuite extends AnyFunSuite {

  private final class Received extends StepReceiver {
    var cells = Vector.empty[Seq[Byte]]
    override def receive(cell: Array[Byte]): Unit = cells :+= cell.toSeq
  }

  test("the driver's merge hands each cell on and keeps none; copies are empty") {
    val received = new Received
    val driver = new StepAccumulator(received)
    val task = new StepAccumulator
    task.replace(Array(Array[Byte](1), Array[Byte](2)))
    driver.merge(task)
    driver.merge(task.copy())
    assert(received.cells == Seq(Seq[Byte](1), Seq[Byte](2), Seq[Byte](1), Seq[Byte](2)))
    assert(driver.isZero && driver.value == 0 && task.value == 2 && driver.copyAndReset().isZero)
    task.reset()
    assert(task.isZero)
  }
}
