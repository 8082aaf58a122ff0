package andiron.services

import java.net.{InetAddress, InetSocketAddress}
import java.nio.charset.StandardCharsets.UTF_8
import java.util.concurrent.{CountDownLatch, Executors}

import com.sun.net.httpserver.{HttpExchange, HttpServer}

/** A server on the loopback interface whose publish API gives every client the same answer: `202`, `400`, `503`, or `nothing`. */
final class OddAtlas(answer: String) {
  private val closed = new CountDownLatch(1)
  private val threads = Executors.newCachedThreadPool()
  private val server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress, 0), 0)
  server.setExecutor(threads)
  server.createContext("/api/v1/publish", (exchange: HttpExchange) => respond(exchange))
  server.start()

  def uri: String = s"http://127.0.0.1:${server.getAddress.getPort}"

  private def respond(exchange: HttpExchange): Unit = {
    exchange.getRequestBody.readAllBytes()
    if (answer == "nothing") closed.await()
    else {
      val kind = if (answer == "202") "partial" else "error"
      val body = s"""{"type":"$kind","errorCount":3,"message":["as the test wants it"]}""".getBytes(UTF_8)
      exchange.sendResponseHeaders(answer.toInt, body.length.toLong)
      exchange.getResponseBody.write(body)
    }
    exchange.close()
  }

  def close(): Unit = {
    closed.countDown()
    server.stop(0)
    threads.shutdownNow(): Unit
  }
}
