package andiron.faults

import java.util.concurrent.atomic.LongAdder

import scala.reflect.ClassTag

import org.apache.spark.{SparkEnv, TaskContext}

import andiron.{Bytes, Catalog, Cursor, ReleasedException}
import andiron.harness.{Features, Waiting}


/** The counts of threads that outlive their tasks, in one JVM. */
object Late {
  val readers, right, released, refused, wrong = new LongAdder

  /** The last unexpected event, as text. */
  @volatile var surprise: String = ""

  def reset(): Unit = {
    Seq(readers, right, released, refused, wrong).foreach(_.reset())
    surprise = ""
  }
}

final case class LateCounts(executor: String, readers: Long, right: Long, released: Long, refused: Long, wrong: Long, surprise: String)

/**
 * Tasks with a thread that continues to read after their completion listeners: the writer of rdd.pipe, whose process ends early. Meanwhile
 * other tasks need the memory that those threads read. Every read must return the right value or throw a ReleasedException.
 */
object LateReaders {
  /** Each reader continues until this number of refusals, or for at most `MostSeconds`. */
  private val Refusals = 300000
  private val MostSeconds = 40

  /** The bytes that the process reads before it ends: a few thousand reads happen within the task. */
  private val Taken = 20000

  val fault: Fault = Fault("late-readers") { (bench, seed) =>
    val spark = bench.spark.sparkContext
    val catalog = bench.small
    val versions = catalog.versions.toIndexedSeq
    everywhere(bench)(Late.reset())
    val lines = spark.parallelize(0 until 4, 4).mapPartitionsWithIndex { (partition, _) =>
      new LateReader(catalog, versions((partition + seed.toInt) % versions.size), Refusals, MostSeconds)
    }.pipe(Seq("sh", "-c", s"head -c $Taken > /dev/null")).collect()
    val digests = Seq(bench.digest(), bench.objectDigest())
    Waiting.until("end of the late readers", 2 * MostSeconds)(counts(bench).map(_.readers).sum == 0)
    val all = counts(bench)
    val (right, released, refused, wrong) = (all.map(_.right).sum, all.map(_.released).sum, all.map(_.refused).sum, all.map(_.wrong).sum)
    val surprises = all.map(_.surprise).filter(_.nonEmpty)
    Fault.require(lines.isEmpty && wrong == 0 && surprises.isEmpty, s"$wrong wrong values; ${surprises.mkString("; ")}")
    Fault.require(released > 1000000 && refused > 0, s"only $released reads and $refused advances after the release")
    Seen(digests, Seq("right_values" -> right, "released_exceptions" -> released, "refused_advances" -> refused))
  }

  /** The results of `action` in many short tasks, which reach every executor. */
  private def everywhere[A: ClassTag](bench: Bench)(action: => A): Seq[A] = {
    val tasks = 4 * bench.spark.sparkContext.defaultParallelism
    bench.spark.sparkContext.parallelize(0 until tasks, tasks).map { _ =>
      Thread.sleep(30)
      action
    }.collect().toSeq
  }

  private def counts(bench: Bench): Seq[LateCounts] = everywhere(bench) {
    LateCounts(SparkEnv.get.executorId, Late.readers.sum, Late.right.sum, Late.released.sum, Late.refused.sum, Late.wrong.sum, Late.surprise)
  }.groupBy(_.executor).values.map(_.last).toSeq
}

/** Reads cells of one version at every `next`, until it is refused `refusals` times; runs on the thread of the caller. */
private final class LateReader(catalog: Catalog[Bytes], version: String, refusals: Int, seconds: Int) extends Iterator[Long] {
  @volatile private var isReleased = false
  // Listeners run in reverse order of registration: this one, registered before Andiron's, runs after it. TaskContext.isCompleted is true before any.
  TaskContext.get().addTaskCompletionListener[Unit](_ => isReleased = true)
  private val cursor: Cursor[Bytes] = catalog.cursor()
  private val bytes = cursor.advance(version)
  private val buffer = bytes.buffer(0, 1 << 16)
  private val end = System.nanoTime() + seconds * 1000000000L
  private val cells = bytes.size / 8
  private var count = 0L
  private var refused = 0
  Late.readers.increment()

  override def hasNext: Boolean = {
    val more = refused < refusals && System.nanoTime() < end
    if (!more) Late.readers.decrement()
    more
  }

  override def next(): Long = {
    count += 1
    val index = Math.floorMod(Features.mix(count), cells)
    expect(index, bytes.getLong(index * 8))
    if (count % 1024 == 0) {
      val early = index % (1 << 13)
      expect(early, java.lang.Long.reverseBytes(buffer.getLong((early * 8).toInt)))
      if (isReleased) askForMore()
    }
    count
  }

  private def expect(index: Long, read: => Long): Unit =
    try if (read == Cells.cell(version, index)) Late.right.increment() else Late.wrong.increment()
    catch {
      case _: ReleasedException =>
        refused += 1
        Late.released.increment()
      case t: Throwable => Late.surprise = t.toString
    }

  private def askForMore(): Unit =
    for (ask <- Seq(() => cursor.advance("v0"), () => catalog.cursor().advance("v1"), () => catalog.lease("v2").value))
      try {
        ask()
        Late.surprise = "a lease after the task's end"
      } catch {
        case _: ReleasedException    => Late.refused.increment()
        case _: InterruptedException => () // Spark interrupts a pipe's writer whose task ends.
        case t: Throwable            => Late.surprise = t.toString
      }
}
