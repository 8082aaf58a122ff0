package andiron.internal.metrics

import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.atomic.{AtomicInteger, AtomicLong}

import com.fasterxml.jackson.databind.JsonNode
import org.apache.spark.{SparkContext, TaskContext}

import andiron.internal.util.Json

/**
 * The part of a gate program that its tasks see: the rows that the service refuses, and the places of faults. One JVM.
 *
 * @param number of the program, in this JVM
 */
final case class GatePlan(number: Long, text: String) {
  @transient private lazy val program = Json.parse(text)
  @transient private lazy val service = {
    var levels = Vector.empty[Int]
    program.path("service").forEach(level => levels :+= level.asInt)
    levels
  }

  /** As `drops` of the model. */
  def drops(site: Int, row: Long): Boolean = {
    val task = TaskContext.get()
    service((action(task) * 3 + site * 5 + task.attemptNumber() * 7) % service.size) match {
      case 0 => false
      case 1 => row % 5 == 0
      case 2 => row % 2 == 0
      case _ => true
    }
  }

  /** Rows `from` on; fails where the program says so. */
  def source(from: Long, rows: Int): Iterator[Long] = {
    val fault = here("reading")
    val read = GatePlan.read.computeIfAbsent(TaskContext.get().taskAttemptId(), _ => new AtomicInteger)
    new Iterator[Long] {
      private var at = 0
      override def hasNext: Boolean = {
        if (fault.exists(_.path("rows").asInt <= read.get)) sys.error("the source fails")
        at < rows
      }
      override def next(): Long = {
        read.incrementAndGet()
        at += 1
        from + at - 1
      }
    }
  }

  /** The rows of a job's result; fails, or has its job cancelled, where the program says so. */
  def end(rows: Iterator[Long]): Iterator[Long] = {
    val task = TaskContext.get()
    val done = GatePlan.done.computeIfAbsent((number, action(task)), _ => new AtomicInteger)
    task.addTaskCompletionListener[Unit](ended => if (!ended.isFailed() && !ended.isInterrupted()) done.incrementAndGet(): Unit)
    val fault = here("writing").orElse(here("cancel"))
    new Iterator[Long] {
      private var made = 0
      override def hasNext: Boolean = fault match {
        case Some(how) if made >= how.path("rows").asInt || !rows.hasNext =>
          if (how.path("what").asText == "cancel") cancel(task, done)
          sys.error("the task fails")
        case _ => rows.hasNext
      }
      override def next(): Long = {
        made += 1
        rows.next()
      }
    }
  }

  /** Cancels the task's job when all of its other tasks have ended, and waits for that. */
  private def cancel(task: TaskContext, done: AtomicInteger): Unit = {
    val until = System.nanoTime() + 10000000000L
    while (done.get < task.numPartitions() - 1 && System.nanoTime() < until) Thread.sleep(5)
    val group = task.getLocalProperty("spark.jobGroup.id")
    new Thread(() => GatePlan.context.cancelJobGroup(group)).start()
    Thread.sleep(30000)
  }

  /** -1 for a job that no action has started: a cache that is built for its id. */
  private def action(task: TaskContext): Int = Option(task.getLocalProperty(GatePlan.Action)).fold(-1)(_.toInt)

  private def here(what: String): Option[JsonNode] = {
    val task = TaskContext.get()
    var found: Option[JsonNode] = None
    program.path("faults").forEach { fault =>
      val partition = fault.path("partition").asInt
      val isHere = partition == task.partitionId() || partition < 0 && task.partitionId() == task.numPartitions() - 1
      if (found.isEmpty && fault.path("what").asText == what && fault.path("action").asInt == action(task) && isHere &&
        fault.path("attempt").asInt == task.attemptNumber()) found = Some(fault)
    }
    found
  }
}

object GatePlan {
  val Action = "andiron.test.action"
  private val numbers = new AtomicLong
  private val read = new ConcurrentHashMap[Long, AtomicInteger]
  private val done = new ConcurrentHashMap[(Long, Int), AtomicInteger]

  /** Whose jobs are cancelled. */
  @volatile var context: SparkContext = _

  def apply(text: String): GatePlan = GatePlan(numbers.incrementAndGet(), text)
}
