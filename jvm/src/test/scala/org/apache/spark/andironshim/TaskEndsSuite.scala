package org.apache.spark.andironshim

import java.nio.{ByteBuffer, ByteOrder}

import scala.collection.mutable

import com.codahale.metrics.Gauge

import org.apache.spark.{Success, TaskState}
import org.apache.spark.executor.{ExecutorMetrics, TaskMetrics}
import org.apache.spark.scheduler._
import org.apache.spark.sql.execution.ui.{SparkListenerSQLAdaptiveExecutionUpdate, SparkListenerSQLExecutionEnd, SparkListenerSQLExecutionStart}
import org.junit.runner.RunWith
import org.scalatest.funsuite.AnyFunSuite

import andiron.testing.SuiteRunner

/** When the listener hands over the ends of tasks. */
@RunWith(classOf[SuiteRunner])
class TaskEndsSuite extends AnyFunSuite {

  /** Records the order of arrivals: ends of tasks by their partitions. `failing`: one hand-over throws. */
  private final class Told extends MetricsEvents {
    val order = mutable.Buffer.empty[String]
    var failing = false

    override def taskEnds(buffer: ByteBuffer, length: Int): Unit = {
      if (failing) {
        failing = false
        throw new IllegalStateException("injected")
      }
      val bytes = buffer.duplicate().order(ByteOrder.LITTLE_ENDIAN)
      bytes.flip()
      assert(bytes.remaining() == length)
      val partitions = mutable.Buffer.empty[Int]
      while (bytes.hasRemaining) {
        bytes.position(bytes.position() + 20)
        partitions += bytes.getInt()
        bytes.position(bytes.position() + 12)
        bytes.position(bytes.position() + 4 + 24 * bytes.getInt(bytes.position()))
      }
      order += partitions.mkString("ends ", " ", "")
    }

    override def accumulator(id: Long, name: String, kind: Int): Unit = order += s"accumulator $id"
    override def accumulatorValues(values: Seq[(Long, Any)]): Unit = ()
    override def speculation(stage: Int, attempt: Int): Unit = order += s"copy in $stage.$attempt"
    override def stageSubmitted(stage: StageInfo, executionId: Option[Long]): Unit = ()
    override def stageCompleted(stage: StageInfo): Unit = ()
    override def jobStart(event: SparkListenerJobStart, executionId: Option[Long]): Unit = ()
    override def jobEnd(event: SparkListenerJobEnd): Unit = order += "job end"
    override def executionStart(event: SparkListenerSQLExecutionStart): Unit = ()
    override def executionUpdate(event: SparkListenerSQLAdaptiveExecutionUpdate): Unit = ()
    override def executionEnd(event: SparkListenerSQLExecutionEnd): Unit = ()
    override def sentinel(number: Long): Unit = order += s"sentinel $number"
    override def applicationEnd(event: SparkListenerApplicationEnd): Unit = ()
    override def failed(what: String, error: Throwable): Unit = order += s"failed ${error.getMessage}"
  }

  private final class Waiting(var count: Int) extends Gauge[Int] {
    override def getValue: Int = count
  }

  private def end(partition: Int, updates: Int = 1): SparkListenerTaskEnd = {
    val info = new TaskInfo(partition.toLong, partition, 0, partition, 0L, "1", "host", TaskLocality.PROCESS_LOCAL, false)
    info.markFinished(TaskState.FINISHED, 1L)
    info.setAccumulables((0 until updates).map(i => AccumulableInfo(i.toLong, Some(s"acc $i"), Some(1L), Some(1L), false, true, None)))
    SparkListenerTaskEnd(0, 0, "ResultTask", Success, info, new ExecutorMetrics, new TaskMetrics)
  }

  test("ends of tasks are handed over together while more events wait, and at once when none does") {
    val (told, waiting) = (new Told, new Waiting(2))
    val listener = new MetricsListener(told, Some(new Gathering(0, Some(waiting))))
    listener.onTaskEnd(end(0))
    listener.onTaskEnd(end(1))
    waiting.count = 0
    listener.onTaskEnd(end(2))
    listener.onTaskEnd(end(3))
    assert(told.order == Seq("accumulator 0", "ends 0 1 2", "ends 3"))
  }

  test("they come before an event of another kind, whatever waits") {
    val (told, waiting) = (new Told, new Waiting(9))
    val listener = new MetricsListener(told, Some(new Gathering(0, Some(waiting))))
    listener.onTaskEnd(end(0))
    listener.onOtherEvent(MetricsSentinel(7))
    listener.onTaskEnd(end(1))
    listener.onJobEnd(SparkListenerJobEnd(0, 1L, JobSucceeded))
    assert(told.order == Seq("accumulator 0", "ends 0", "sentinel 7", "ends 1", "job end"))
  }

  test("none stays behind when what waited is an event that nobody notes") {
    val (told, waiting) = (new Told, new Waiting(1))
    val listener = new MetricsListener(told, Some(new Gathering(0, Some(waiting))))
    listener.onTaskEnd(end(0))
    listener.onTaskStart(SparkListenerTaskStart(0, 0, end(1).taskInfo))
    assert(told.order == Seq("accumulator 0"))
    waiting.count = 0
    listener.onTaskStart(SparkListenerTaskStart(0, 0, end(2).taskInfo))
    assert(told.order == Seq("accumulator 0", "ends 0"))
  }

  test("where Spark does not tell what waits, each is handed over at once") {
    for (gathering <- Seq(None, Some(new Gathering(0, None)))) {
      val told = new Told
      val listener = new MetricsListener(told, gathering)
      (0 to 2).foreach(partition => listener.onTaskEnd(end(partition)))
      assert(told.order == Seq("accumulator 0", "ends 0", "ends 1", "ends 2"))
    }
  }

  test("many of them, and large ones, do not wait for each other without bound, and none is lost or cut") {
    val told = new Told
    val listener = new MetricsListener(told, Some(new Gathering(0, Some(new Waiting(1)))))
    (0 until 1000).foreach(partition => listener.onTaskEnd(end(partition, updates = if (partition % 100 == 0) 5000 else 3)))
    listener.onOtherEvent(MetricsSentinel(1))
    val handed = told.order.filter(_.startsWith("ends ")).map(_.stripPrefix("ends ").split(' ').map(_.toInt).toSeq)
    assert(handed.flatten == (0 until 1000) && handed.size > 10 && handed.forall(_.size <= 400), handed.map(_.size))
  }

  test("what could not be handed over does not come again, and what is next comes whole") {
    val (told, waiting) = (new Told, new Waiting(0))
    val listener = new MetricsListener(told, Some(new Gathering(0, Some(waiting))))
    told.failing = true
    listener.onTaskEnd(end(0))
    listener.onTaskEnd(end(1))
    assert(told.order == Seq("accumulator 0", "failed injected", "ends 1"))
  }
}
