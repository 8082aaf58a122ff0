package andiron.testing

import java.util.concurrent.ConcurrentLinkedQueue

import org.apache.logging.log4j.LogManager
import org.apache.logging.log4j.core.{LogEvent, Logger}
import org.apache.logging.log4j.core.appender.AbstractAppender
import org.apache.logging.log4j.core.config.Property

/** What this process writes to its log. */
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
}
