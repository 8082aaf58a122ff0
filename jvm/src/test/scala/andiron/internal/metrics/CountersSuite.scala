package andiron.internal.metrics

import java.util.concurrent.CountDownLatch

import andiron._
import andiron.testing.MetricsSparks._
import andiron.testing.Sparks._
import andiron.testing.SuiteRunner

import org.apache.spark.rdd.RDD
import org.apache.spark.sql.SparkSession
import org.junit.runner.RunWith
import org.scalatest.BeforeAndAfterAll
import org.scalatest.funsuite.AnyFunSuite

object CountersSuite {
  val mayAdd = new CountDownLatch(1)
  @volatile var added = new CountDownLatch(0)

  /** Programs keep costly objects this way: the first task's copy serves all tasks of the process. */
  @volatile var kept: StepCounter = _
  def keep(counter: StepCounter): StepCounter = synchronized {
    if (kept == null) kept = counter
    kept
  }
}

/** The user's own counters, wherever they are added to. */
@RunWith(classOf[SuiteRunner])
class CountersSuite extends AnyFunSuite with BeforeAndAfterAll {
  private var spark: SparkSession = _
  private val directory = java.nio.file.Files.createTempDirectory("counters")

  override def beforeAll(): Unit = spark = start("local[4]", settings(directory): _*)

  override def afterAll(): Unit = {
    stop(spark)
    delete(directory)
  }

  private def numbers: RDD[Int] = spark.sparkContext.parallelize(0 until 1000, 8)

  private def exactly(step: Step, own: Long): Unit = {
    val figures = step.figures
    assert((figures.in, figures("own"), figures.exact, figures.reason) == ((1000L, own, true, "")), figures)
    step.close()
  }

  private def flagged(step: Step, own: Long, outside: String): Unit = {
    val figures = step.figures
    assert((figures.in, figures("own"), figures.exact) == ((1000L, own, false)), figures)
    assert(figures.reason.contains(s"$outside came from outside the step's functions"), figures)
  }

  test("a counter that comes by a broadcast variable counts in the step's functions") {
    val step = Step(spark, "broadcast")
    val own = step.counter("own")
    val shared = spark.sparkContext.broadcast(own)
    assert(step.map(numbers) { n => assert(shared.value.increment()); n }.count() == 1000)
    exactly(step, 1000)
    // Serialised by the user, so that it is another copy in local mode too.
    val bytes = andiron.testing.Copies.bytes(own)
    val copied = Step(spark, "another step")
    val again = copied.counter("own")
    val ofAgain = andiron.testing.Copies.bytes(again)
    assert(copied.map(numbers) { n => assert(andiron.testing.Copies.of[StepCounter](ofAgain).increment()); n }.count() == 1000)
    exactly(copied, 1000)
    assert(!andiron.testing.Copies.of[StepCounter](bytes).increment(), "outside of any task")
  }

  test("a counter that a process keeps from its first task counts in the tasks that use it") {
    val step = Step(spark, "kept")
    val own = step.counter("own")
    assert(step.map(numbers) { n => assert(CountersSuite.keep(own).increment()); n }.count() == 1000)
    exactly(step, 1000)
  }

  test("additions by threads that no function waits for are refused and told") {
    val step = Step(spark, "not awaited")
    val own = step.counter("own")
    CountersSuite.added = new CountDownLatch(12)
    val rows = step.map(numbers) { n =>
      if (n < 12) new Thread(() => {
        CountersSuite.mayAdd.await()
        own.increment()
        CountersSuite.added.countDown()
      }).start()
      else own.increment()
      n
    }
    assert(rows.count() == 1000)
    CountersSuite.mayAdd.countDown()
    CountersSuite.added.await()
    flagged(step, 988, "12 additions to counters")
    step.close()
    val report = Andiron.report(spark)
    assert(report.contains("12 additions to counters came from outside"), report)
  }

  test("additions on the driver, and in functions that are not the step's, are refused and told") {
    val step = Step(spark, "outside")
    val own = step.counter("own")
    assert(step.map(numbers) { n => own.increment(); n }.map { n => assert(!own.increment()); n }.count() == 1000)
    flagged(step, 1000, "1000 additions to counters")
    val driver = Step(spark, "driver")
    val ofDriver = driver.counter("own")
    assert(driver.map(numbers) { n => assert(ofDriver.increment()); n }.count() == 1000)
    assert(driver.figures.exact, driver.figures)
    for (_ <- 0 until 5) assert(!ofDriver.add(5))
    flagged(driver, 1000, "5 additions to counters")
  }
}
