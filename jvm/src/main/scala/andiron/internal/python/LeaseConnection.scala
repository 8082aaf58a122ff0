package andiron.internal.python

import java.io.{BufferedInputStream, ByteArrayOutputStream, Closeable, IOException, InputStream}
import java.net.Socket
import java.nio.charset.StandardCharsets.UTF_8
import java.security.MessageDigest

import com.fasterxml.jackson.core.JsonProcessingException
import com.fasterxml.jackson.databind.JsonNode
import com.fasterxml.jackson.databind.node.ObjectNode
import org.apache.spark.TaskKilledException
import org.apache.spark.andironshim.SparkInternals
import org.slf4j.LoggerFactory

import andiron.{AndironException, Catalog, ErrorCode}
import andiron.internal.cache.SharedCursor
import andiron.internal.util.Json

/**
 * One cursor of a Python worker: lines of JSON, each answered by one line with its `number`. The first line contains
 * secret, task attempt and catalog. Every error becomes an answer; the end of the connection closes the cursor. `known`
 * is called once the secret has been verified.
 */
private final class LeaseConnection(socket: Socket, secret: String, tasks: LiveTasks, catalogs: ExecutorCatalogs, known: () => Unit)
    extends Closeable {
  private val in = new BufferedInputStream(socket.getInputStream)
  private val out = socket.getOutputStream
  private var number = 0L

  def run(): Unit =
    try {
      socket.setTcpNoDelay(true)
      socket.setSoTimeout(LeaseConnection.GreetingMillis)
      val greeting = Json.parse(LeaseConnection.greeting(in).getOrElse("{}"))
      number = greeting.path("number").asLong()
      // A client without the secret gets no answer, not even an error.
      if (MessageDigest.isEqual(secret.getBytes(UTF_8), greeting.path("secret").asText().getBytes(UTF_8))) greeted(greeting)
    } catch {
      case e: IOException => LeaseConnection.log.debug("a Python worker's connection has ended", e)
    }

  override def close(): Unit = socket.close()

  private def greeted(greeting: JsonNode): Unit = {
    known()
    socket.setSoTimeout(0)
    val id = greeting.path("task").asLong(-1)
    tasks.find(id) match {
      case None => say(LeaseConnection.failure(AndironException.of(ErrorCode.Released, s"task $id does not run in this executor: it has ended, or never began here", null)))
      case Some(task) =>
        task.closing(this)
        def catalog = catalogs.find(greeting.path("catalog").asText(), greeting.path("hints").asLong())
        try answer(task)(Catalog.sharedCursor(catalog, task.context)).foreach(cursor => serve(task, cursor))
        finally task.forget(this)
    }
  }

  private def serve(task: LiveTask, cursor: SharedCursor): Unit =
    try {
      say(Json.node())
      Iterator.continually(line()).takeWhile(_.isDefined).flatten.foreach { text =>
        answer(task) {
          val request = LeaseConnection.request(text)
          number = request.path("number").asLong()
          LeaseConnection.perform(cursor, request)
        }.foreach(say)
      }
    } finally cursor.close()

  /** The result of `body`; None if it threw, and then the error is sent to the worker. */
  private def answer[A](task: LiveTask)(body: => A): Option[A] =
    try Some(task(body))
    catch {
      case e: TaskKilledException =>
        // With the task marked as killed, Spark's runner reports it as killed, not as failed, however the worker ends.
        SparkInternals.kill(task.context, e.reason)
        say(LeaseConnection.failure(AndironException.of(ErrorCode.Released, s"the task is being killed: ${e.reason}", null)))
        None
      case e: Throwable =>
        say(LeaseConnection.failure(e))
        None
    }

  private def say(node: ObjectNode): Unit = {
    out.write(Json.bytes(node.put("number", number)) :+ '\n'.toByte)
    out.flush()
  }

  /** The next line; None at the end. A line longer than any valid request ends the connection. */
  private def line(): Option[String] = LeaseConnection.line(in, LeaseConnection.LongestLine, () => ())
}

private object LeaseConnection {
  private val log = LoggerFactory.getLogger(classOf[LeaseConnection])
  private val GreetingMillis = 10000
  private val LongestLine = 1 << 16
  private val LongestGreeting = 1 << 10

  /** The first line. It must arrive in time and be short, because the client is not yet authenticated. */
  private def greeting(in: InputStream): Option[String] = {
    val end = System.nanoTime() + GreetingMillis * 1000000L
    line(in, LongestGreeting, () => if (System.nanoTime() > end) throw new IOException(s"no greeting within $GreetingMillis ms"))
  }

  private def line(in: InputStream, longest: Int, check: () => Unit): Option[String] = {
    val bytes = new ByteArrayOutputStream(256)
    var next = in.read()
    while (next >= 0 && next != '\n') {
      bytes.write(next)
      if (bytes.size > longest) throw new IOException(s"a request of more than $longest bytes")
      check()
      next = in.read()
    }
    if (next < 0) None else Some(new String(bytes.toByteArray, UTF_8))
  }

  private def request(text: String): JsonNode =
    try Json.parse(text)
    catch { case _: JsonProcessingException => throw AndironException.of(ErrorCode.BadArgument, s"'${text.take(80)}' is not JSON", null) }

  private def perform(cursor: SharedCursor, request: JsonNode): ObjectNode = request.path("op").asText() match {
    case "advance" =>
      val file = cursor.advance(if (request.path("version").isTextual) request.path("version").asText() else null)
      if (file.isNamed) Json.node().put("path", file.path)
      else Json.node().put("path", file.path).put("length", file.length).put("device", file.device).put("inode", file.inode)
    case "release" =>
      cursor.release()
      Json.node()
    case other => throw AndironException.of(ErrorCode.BadArgument, s"'$other' is not a request of a cursor", null)
  }

  private def failure(error: Throwable): ObjectNode = error match {
    case e: AndironException => Json.node().put("error", e.getClass.getSimpleName).put("code", e.code).put("message", e.getMessage)
    case e                   => Json.node().put("error", "AndironException").put("code", ErrorCode.Panic).put("message", s"the executor could not answer: $e")
  }
}
