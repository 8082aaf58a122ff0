package andiron.testing

import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.{Files, Paths}
import java.util.concurrent.ConcurrentLinkedQueue

import org.apache.logging.log4j.LogManager
import org.apache.logging.log4j.core.{LogEvent, Logger}
import org.apache.logging.log4j.core.appender.AbstractAppender
import org.apache.logging.log4j.core.config.Property

/** The log lines of this process. */
object Logged {

  /** The messages of the logger with that name during `body`, and its result. */
  def during[A](logger: String)(body: => A): (Seq[String], A) = {
    val messages = new ConcurrentLinkedQueue[String]
    val appender = new AbstractAppender("logged", null, null, true, Property.EMPTY_ARRAY) {
      override def append(event: LogEvent): Unit = messages.add(event.getMessage.getFormattedMessage): Unit
    }
    appender.start()
    val target = LogManager.getLogger(logger).asInstanceOf[Logger]
    target.addAppender(appender)
    try {
      val result = body
      (messages.toArray(Array.empty[String]).toSeq, result)
    } finally target.removeAppender(appender)
  }

  /** The lines that the library writes to the tests' log file during `body`: the classes here may not reach the context of Log4j that has the library's logger. */
  def written(body: => Any): Seq[String] = {
    val file = Paths.get("spark.log")
    val before = Files.size(file).toInt
    body: Unit
    val added = Files.readAllBytes(file).drop(before)
    new String(added, UTF_8).split('\n').toSeq.filter(_.contains(" andiron: "))
  }
}
