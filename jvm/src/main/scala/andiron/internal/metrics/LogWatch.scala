package andiron.internal.metrics

import java.util.concurrent.ArrayBlockingQueue
import java.util.concurrent.locks.LockSupport

import scala.util.control.NonFatal

import com.fasterxml.jackson.databind.node.ObjectNode
import org.apache.logging.log4j.{Level, LogManager}
import org.apache.logging.log4j.core.{LogEvent, LoggerContext}
import org.apache.logging.log4j.core.appender.AbstractAppender
import org.apache.logging.log4j.core.config.Property
import org.apache.spark.TaskContext
import org.slf4j.LoggerFactory

import andiron.internal.util.{DaemonThread, Json}

/**
 * Collects the WARN and ERROR lines of this process's log for the report: a limited number per stage and the number of
 * omitted lines. The logging thread never waits; a separate thread calls `send`. Needs Log4j 2, which Spark includes;
 * without it there are no lines.
 */
private[andiron] final class LogWatch(executor: String, send: Array[String] => Unit) {
  private val waiting = new ArrayBlockingQueue[LogWatch.Line](LogWatch.MostWaiting)
  private val errors = new LogCounts("ERROR")
  private val warnings = new LogCounts("WARN")
  @volatile private var isOpen = true
  private val thread = DaemonThread("andiron-log-lines", () => run())

  private val appender = new AbstractAppender("andiron", null, null, true, Property.EMPTY_ARRAY) {
    override def append(event: LogEvent): Unit =
      if (event.getLevel.isMoreSpecificThan(Level.ERROR)) take(event, errors)
      else if (event.getLevel.isMoreSpecificThan(Level.WARN)) take(event, warnings)
  }

  private def take(event: LogEvent, counts: LogCounts): Unit = {
    val task = TaskContext.get()
    val count = counts.of(if (task == null) LogCounts.NoStage else task.stageId())
    val place = count.place()
    if (place > 0) {
      val size = waiting.size
      // Half of the queue is reserved for the first lines of each stage.
      if (size >= (if (place <= LogWatch.First) LogWatch.MostWaiting else LogWatch.MostWaiting / 2)) count.refused()
      else if (!text(event, task, count).exists(json => waiting.offer(LogWatch.Line(count, json)))) count.leaveOut(1)
      if (size >= LogWatch.MostWaiting / 4) LockSupport.unpark(thread)
    }
  }

  /** The line as JSON; None if its message cannot be formatted. */
  private def text(event: LogEvent, task: TaskContext, count: LogCount): Option[String] =
    try {
      val message = String.valueOf(event.getMessage.getFormattedMessage) + Option(event.getThrown).fold("")(thrown => s": $thrown")
      val node = head(count)
      node.put("logger", EventJson.cut(event.getLoggerName, 200)).put("message", EventJson.cut(message, LogWatch.Characters))
      node.put("thread", EventJson.cut(event.getThreadName, 200)).put("ts_ms", event.getTimeMillis)
      if (task != null) node.put("partition", task.partitionId())
      Some(Json.text(node))
    } catch { case NonFatal(_) => None }

  private def head(count: LogCount): ObjectNode = {
    val node = Json.node().put("executor", executor).put("level", count.level)
    count.stage.foreach(stage => node.put("stage", stage))
    node
  }

  private def start(): Unit = {
    appender.start()
    LogWatch.change(_.addAppender(appender, Level.WARN, null))
    thread.start()
  }

  /** Forwards the waiting lines and stops collecting. */
  def close(): Unit = {
    isOpen = false
    LogWatch.change(_.removeAppender(appender.getName))
    thread.interrupt()
    thread.join(1000)
    hand()
  }

  private def run(): Unit =
    while (isOpen && !Thread.interrupted()) {
      LockSupport.parkNanos(this, LogWatch.PauseNanos)
      hand()
    }

  private def hand(): Unit = {
    val lines = new java.util.ArrayList[LogWatch.Line]
    waiting.drainTo(lines)
    val left = (errors.all() ++ warnings.all()).map(count => count -> count.takeLeftOut()).filter(_._2 > 0)
    val texts = lines.toArray(new Array[LogWatch.Line](0)).map(_.json) ++ left.map { case (count, n) => Json.text(head(count).put("left_out", n)) }
    if (texts.nonEmpty)
      try send(texts)
      catch {
        // A failing send must not log a line itself.
        case _: Throwable =>
          lines.forEach(line => counts(line.count).putBack(line.count, 1))
          left.foreach { case (count, n) => counts(count).putBack(count, n) }
      }
  }

  private def counts(of: LogCount): LogCounts = if (of.level == errors.level) errors else warnings
}

private[andiron] object LogWatch {
  private val log = LoggerFactory.getLogger(classOf[LogWatch])
  private val MostWaiting = 2000
  private val First = 5
  private val Characters = 1000
  private val PauseNanos = 1000000000L

  private final case class Line(count: LogCount, json: String)

  /** First element of a message with log lines to the driver. */
  val Tag = "andiron.lines"

  /** Starts collecting this process's lines; None without Log4j 2. */
  def open(executor: String, send: Array[String] => Unit): Option[LogWatch] =
    try {
      val watch = new LogWatch(executor, send)
      watch.start()
      Some(watch)
    } catch {
      case t @ (_: LinkageError | NonFatal(_)) =>
        log.info(s"the report has no log lines of $executor: ${t.getMessage}")
        None
    }

  private def change(what: org.apache.logging.log4j.core.config.LoggerConfig => Unit): Unit = LogManager.getContext(false) match {
    case context: LoggerContext =>
      what(context.getConfiguration.getRootLogger)
      context.updateLoggers()
    case other => throw new IllegalStateException(s"the log is ${other.getClass.getName}'s")
  }
}
