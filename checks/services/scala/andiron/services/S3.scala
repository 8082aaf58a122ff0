package andiron.services

import java.io.IOException
import java.net.URI
import java.net.http.{HttpClient, HttpRequest, HttpResponse}
import java.nio.file.Path

import andiron._
import andiron.services.Bench._

/** A server with the S3 API on loopback, a process started by `command`; its data are lost when it ends. */
private final class S3Server(command: Seq[String], port: Int, log: Path) {
  private var server: Started = _

  /** Starts the server with an empty bucket. */
  def start(): Unit = {
    server = new Started(command, log)
    server.await("answer of the server", 60)(answers)
  }

  private def answers: Boolean =
    try {
      // The server reads the region from the credential and does not verify the credential.
      val request = HttpRequest.newBuilder(URI.create(s"http://127.0.0.1:$port/${S3.Bucket}"))
        .header("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0")
        .PUT(HttpRequest.BodyPublishers.noBody()).build()
      HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).statusCode == 200
    } catch { case _: IOException => false }

  def kill(): Unit = if (server != null) server.kill()
  def signal(name: String): Unit = server.signal(name)
}

object S3 {
  val Bucket = "andiron"

  def run(folder: Path, command: Seq[String], port: Int, report: Seq[(String, Any)] => Unit): Unit = {
    val server = new S3Server(command, port, folder.resolve("server.log"))
    server.start()
    try {
      val bench = new Bench(folder, s"s3a://$Bucket/metadata", Map(
        "fs.s3a.impl" -> classOf[Halting].getName,
        "fs.s3a.halting" -> "org.apache.hadoop.fs.s3a.S3AFileSystem",
        "fs.s3a.endpoint" -> s"http://127.0.0.1:$port",
        "fs.s3a.endpoint.region" -> "us-east-1",
        "fs.s3a.path.style.access" -> "true",
        "fs.s3a.access.key" -> "test",
        "fs.s3a.secret.key" -> "test",
        "fs.s3a.buffer.dir" -> folder.resolve("tmp").toString,
        // The client gives up within seconds; by default it retries for minutes.
        "fs.s3a.attempts.maximum" -> "1",
        "fs.s3a.retry.limit" -> "1",
        "fs.s3a.retry.interval" -> "100ms",
        "fs.s3a.connection.timeout" -> "3000",
        "fs.s3a.connection.establish.timeout" -> "3000"))
      try Check.all(new S3(bench, server).checks, bench, report)
      finally bench.spark.stop()
    } finally server.kill()
  }
}

private final class S3(bench: Bench, server: S3Server) {
  private val sources = new Sources(bench)
  private val whole = bytes(6, 24 * MiB)

  private val noBucket = Check("no-bucket") {
    val uri = "s3a://no-such-bucket/file"
    val e = try { bench.withCatalog(Loader.bytes, Version("v", uri))(_ => ()); null } catch { case e: SourceException => e }
    Check.require(e != null && e.getMessage.contains(uri) && e.getMessage.contains("'v'"), s"$e")
    Seq("message" -> e.getMessage)
  }

  /** The server ends or hangs during a load, and comes back. */
  private def lost(name: String)(lose: => Unit)(back: => Unit): Check = Check(name) {
    var isLost = false
    def found(): Unit = if (isLost) {
      isLost = false
      back
    }
    try bench.loading(Version(name, bench.uri(name), Some(whole.length.toLong), Some(sha256(whole))), whole, MiB) {
      isLost = true
      lose
    } { catalog =>
      val e = bench.failure[AndironException](name, 103, 107)(bench.read(catalog, name))
      Check.require(e.getCause != null, "no cause")
      found()
      bench.put(name, whole)
      bench.requireRead(catalog, name, whole)
      Seq("code" -> e.code, "message" -> e.getMessage)
    } finally found()
  }

  val checks: Seq[Check] = sources.checks ++ Seq(
    noBucket,
    lost("server-killed-during-load")(server.kill())(server.start()),
    lost("server-hangs-during-load")(server.signal("STOP"))(server.signal("CONT")))
}
