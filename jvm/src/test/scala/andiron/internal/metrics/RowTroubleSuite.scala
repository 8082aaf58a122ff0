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

/** Throwables that do not behave like ordinary exceptions. */
object Troubles {
  val all: Seq[() => Throwable] = Seq(
    () => new RuntimeException("no stack") { override def getStackTrace: Array[StackTraceElement] = null },
    () => new RuntimeException("stack throws") { override def getStackTrace: Array[StackTraceElement] = throw new NoClassDefFoundError("lost/Frames") },
    () => new RuntimeException("stack of null") { override def getStackTrace: Array[StackTraceElement] = new Array[StackTraceElement](3) },
    () => new RuntimeException { override def getMessage: String = throw new NoClassDefFoundError("lost/Text") },
    () => new RuntimeException { override def getMessage: String = throw new InterruptedException("no text") },
    () => new RuntimeException { override def getMessage: String = throw new OutOfMemoryError("Requested array size exceeds VM limit") },
    () => new RuntimeException { override def getMessage: String = null },
    () => new RuntimeException("toString throws") { override def toString: String = throw new ExceptionInInitializerError("no string") },
    () => new RuntimeException("toString is null") { override def toString: String = null },
    () => new RuntimeException("a ring") { override def getCause: Throwable = this },
    () => new RuntimeException("cause throws") { override def getCause: Throwable = throw new LinkageError("no cause") },
    () => new RuntimeException("cause", new RuntimeException("inner") { override def getStackTrace: Array[StackTraceElement] = null }),
    () => new RuntimeException("prints badly") { override def printStackTrace(to: java.io.PrintWriter): Unit = throw new VerifyError("no print") },
    () => { val e = new RuntimeException("suppresses"); e.addSuppressed(new RuntimeException { override def toString: String = throw new LinkageError("no") }); e },
    () => new RuntimeException("all of it") {
      private def no = throw new InterruptedException("never")
      override def getMessage: String = no
      override def getStackTrace: Array[StackTraceElement] = no
      override def getCause: Throwable = no
      override def toString: String = no
    })

  /** Where the flag leaked from the row before, this throws. */
  def calm[A](result: A): A = {
    Thread.sleep(0, 1)
    if (Thread.currentThread().isInterrupted) throw new AssertionError("the flag has leaked")
    result
  }

  def lost: Nothing = throw new NoClassDefFoundError("lost/View")

  @volatile var isRunning = new CountDownLatch(1)
}

/** A row whose text cannot be made. */
final class Unspeakable(val n: Int) extends Serializable {
  override def toString: String = throw new NoClassDefFoundError("lost/Row")
}

/** Interrupts without a kill, and exceptions whose own methods throw. */
@RunWith(classOf[SuiteRunner])
class RowTroubleSuite extends AnyFunSuite with BeforeAndAfterAll {
  private var spark: SparkSession = _
  private val directory = java.nio.file.Files.createTempDirectory("trouble")

  override def beforeAll(): Unit = spark = start("local[2]", settings(directory): _*)

  override def afterAll(): Unit = {
    stop(spark)
    delete(directory)
  }

  private def numbers(rows: Int = 100): RDD[Int] = spark.sparkContext.parallelize(0 until rows, 2)

  private def counted(step: Step, in: Long, out: Long, dropped: Long): Unit = {
    val found = step.figures
    assert((found.in, found.out, found.dropped, found.exact) == ((in, out, dropped, true)), found)
  }

  test("an interrupt without a kill is the row's, and the next row does not see it") {
    val step = Step(spark, "interrupts")
    val rows = step.map(numbers()) { n =>
      Troubles.calm(n)
      n % 10 match {
        case 1 => throw new InterruptedException("as a library does")
        case 2 => Thread.currentThread().interrupt(); throw new IllegalStateException("restored")
        case 3 => Thread.currentThread().interrupt(); n
        case 4 => Thread.currentThread().interrupt(); Thread.sleep(1000); n
        case _ => n
      }
    }
    assert(rows.collect().toSet == (0 until 100).filterNot(n => Set(1, 2, 4)(n % 10)).toSet)
    counted(step, 100, 70, 30)
  }

  test("filter, flatMap and what samples call leave no flag") {
    val step = Step(spark, "flags")
    val shown = step.describe[Int] { n => Thread.currentThread().interrupt(); s"row $n" }.keyed { n => Thread.currentThread().interrupt(); n }
    val kept = shown.filter(numbers()) { n => Troubles.calm(n); if (n == 7) sys.error("seven"); Thread.currentThread().interrupt(); true }
    assert(shown.flatMap(kept) { n => Troubles.calm(n); Thread.currentThread().interrupt(); if (n == 8) sys.error("eight"); Seq(n, n) }.count() == 196)
    assert(step.figures.dropped == 2 && step.figures.exact, step.figures)
  }

  for (kills <- Seq("restores the flag and throws", "restores the flag", "throws"))
    test(s"a real kill stops the task whose function $kills") {
      val step = Step(spark, s"killed: $kills")
      Troubles.isRunning = new CountDownLatch(1)
      val group = s"kill $kills"
      @volatile var thrown: Throwable = null
      val job = new Thread(() => {
        spark.sparkContext.setJobGroup(group, group, interruptOnCancel = true)
        try step.map(numbers(10000)) { n =>
          Troubles.isRunning.countDown()
          try Thread.sleep(100)
          catch {
            case e: InterruptedException =>
              if (kills.startsWith("restores")) Thread.currentThread().interrupt()
              if (kills.endsWith("throws")) throw new IllegalStateException("stopped", e)
          }
          n
        }.count(): Unit
        catch { case t: Throwable => thrown = t }
      })
      job.start()
      Troubles.isRunning.await()
      spark.sparkContext.cancelJobGroup(group)
      job.join(30000)
      assert(!job.isAlive && thrown != null && thrown.getMessage.contains("cancelled"), thrown)
      val end = System.nanoTime() + 30000000000L
      while (spark.sparkContext.statusTracker.getExecutorInfos.exists(_.numRunningTasks() > 0) && System.nanoTime() < end) Thread.sleep(50)
      assert(spark.sparkContext.statusTracker.getExecutorInfos.forall(_.numRunningTasks() == 0))
      assert(step.figures.dropped == 0, step.figures)
    }

  test("an exception that fails whoever looks at it costs its row only") {
    val step = Step(spark, "badly behaved")
    val all = Troubles.all
    val rows = step.map(numbers(all.size * 2))(n => if (n % 2 == 0) throw Troubles.all(n / 2)() else Troubles.calm(n))
    assert(rows.count() == all.size)
    counted(step, all.size * 2L, all.size.toLong, all.size.toLong)
    assert(andiron.internal.metrics.MetricsApplication.of(spark.sparkContext).get.flush(20000))
    assert(logged(directory).contains("badly behaved") && Andiron.report(spark).contains("badly behaved"))
  }

  test("texts of rows that cannot be made cost nothing else") {
    val step = Step(spark, "unspeakable")
    val rows = numbers(10).map(new Unspeakable(_))
    assert(step.map(rows)(row => if (row.n == 3) sys.error("three") else row.n).count() == 9)
    counted(step, 10, 9, 1)
    val every = Step(spark, "every text")
    val shown = every.keyed[Int](_ => Troubles.lost).describe(_ => Troubles.lost).version(_ => throw new InterruptedException).redact(_ => Troubles.lost)
    assert(shown.map(numbers(10))(n => if (n == 3) sys.error("three") else Troubles.calm(n)).count() == 9)
    counted(every, 10, 9, 1)
  }
}
