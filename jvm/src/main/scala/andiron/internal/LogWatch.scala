package andiron.internal

import java.util.concurrent.ArrayBlockingQueue
import java.util.concurrent.atomic.AtomicLong

import org.apache.logging.log4j.{Level, LogManager}
import org.apache.logging.log4j.core.{LogEvent, LoggerContext}
import org.apache.logging.log4j.core.appender.AbstractAppender
import org.apache.logging.log4j.core.config.Property
import org.apache.spark.TaskContext
import org.slf4j.LoggerFactory

/**
 * The WARN and ERROR lines of this process's log, for the report: a bounded number, taken without waiting and handed on by `send` from a
 * thread of its own. Needs Log4j 2, which Spark brings; without it there are no lines.
 */
private[andiron] final class LogWatch(executor: String, send: Array[String] => Unit) {
  private val waiting = new ArrayBlockingQueue[String](LogWatch.MostWaiting)
  private val taken = new AtomicLong
  @volatile private var isOpen = true
  private val thread = DaemonThread("andiron-log-lines", () => run())

  private val appender = new AbstractAppender("andiron", null, null, true, Property.EMPTY_ARRAY) {
    override def append(event: LogEvent): Unit =
      if (event.getLevel.isMoreSpecificThan(Level.WARN) && taken.get < LogWatch.Most && taken.incrementAndGet() <= LogWatch.Most)
        waiting.offer(line(event)): Unit
  }

  private def line(event: LogEvent): String = {
    val message = String.valueOf(event.getMessage.getFormattedMessage) + Option(event.getThrown).fold("")(thrown => s": $thrown")
    val node = Json.node().put("executor", executor).put("level", if (event.getLevel.isMoreSpecificThan(Level.ERROR)) "ERROR" else "WARN")
    node.put("logger", EventJson.cut(event.getLoggerName, 200)).put("message", EventJson.cut(message, LogWatch.Characters))
    node.put("thread", EventJson.cut(event.getThreadName, 200)).put("ts_ms", event.getTimeMillis)
    val task = TaskContext.get()
    if (task != null) node.put("stage", task.stageId()).put("partition", task.partitionId())
    Json.text(node)
  }

  private def start(): Unit = {
    appender.start()
    LogWatch.change(_.addAppender(appender, Level.WARN, null))
    thread.start()
  }

  /** Hands on what is waiting, and takes no more lines. */
  def close(): Unit = {
    isOpen = false
    LogWatch.change(_.removeAppender(appender.getName))
    thread.interrupt()
    thread.join(1000)
    hand()
  }

  private def run(): Unit =
    try
      while (isOpen) {
        Thread.sleep(LogWatch.Pause)
        hand()
      }
    catch { case _: InterruptedException => () }

  private def hand(): Unit = {
    val lines = new java.util.ArrayList[String]
    waiting.drainTo(lines)
    if (!lines.isEmpty)
      try send(lines.toArray(new Array[String](0)))
      catch { case _: Throwable => () } // A failing send must not make a line of its own.
  }
}

private[andiron] object LogWatch {
  private val log = LoggerFactory.getLogger(classOf[LogWatch])
  private val Most = 1000L
  private val MostWaiting = 200
  private val Characters = 1000
  private val Pause = 1000L

  /** What a message of log lines to the driver begins with. */
  val Tag = "andiron.lines"

  /** Takes the lines of this process from now on; None where there is no Log4j 2. */
  def open(executor: String, send: Array[String] => Unit): Option[LogWatch] =
    try {
      val watch = new LogWatch(executor, send)
      watch.start()
      Some(watch)
    } catch {
      case t @ (_: LinkageError | scala.util.control.NonFatal(_)) =>
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
