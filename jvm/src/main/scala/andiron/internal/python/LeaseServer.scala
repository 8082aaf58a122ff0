package andiron.internal.python

import java.io.File
import java.net.{InetAddress, ServerSocket, Socket}
import java.nio.ByteBuffer
import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.LinkOption.NOFOLLOW_LINKS
import java.nio.file.{Files, OpenOption, Path, StandardOpenOption}
import java.nio.file.attribute.PosixFilePermissions
import java.security.SecureRandom
import java.util.concurrent.{ConcurrentHashMap, ConcurrentLinkedQueue}

import org.slf4j.LoggerFactory

import andiron.internal.util.DaemonThread

/**
 * The endpoint for leases of an executor's Python workers: a socket on the loopback address. Address and secret are in
 * a file in the executor's Spark directory, which only its user can read and whose path Spark passes to its workers.
 *
 * One connection is one cursor of one task attempt, served by its own thread. The protocol is in docs/guide/python.md.
 */
private[andiron] final class LeaseServer private (socket: ServerSocket, secret: String, file: Path, tasks: LiveTasks, catalogs: ExecutorCatalogs)
    extends AutoCloseable {
  private val connections = ConcurrentHashMap.newKeySet[Socket]()
  // Connections that have not yet shown the secret, oldest first. A worker shows it with its first packet.
  private val strangers = new ConcurrentLinkedQueue[Socket]()
  private val acceptor = DaemonThread("andiron-python", () => accept())

  private def accept(): Unit = {
    var isFailing = false
    while (!socket.isClosed)
      try {
        val connection = socket.accept()
        if (connections.size >= LeaseServer.MostConnections) connection.close() else serve(connection)
        isFailing = false
      } catch {
        // No descriptors or threads left, which is temporary: the acceptor must neither end nor spin.
        case t: Throwable if !socket.isClosed =>
          if (!isFailing) LeaseServer.log.warn("a Python worker's connection was not accepted", t)
          isFailing = true
          Thread.sleep(LeaseServer.PauseMillis)
        case _: Throwable => ()
      }
  }

  private def serve(connection: Socket): Unit = {
    connections.add(connection)
    strangers.add(connection)
    if (strangers.size > LeaseServer.MostStrangers) Option(strangers.poll()).foreach(LiveTask.quietly(_))
    def end(): Unit = {
      strangers.remove(connection)
      connections.remove(connection)
      connection.close()
    }
    def isKnown(): Unit = strangers.remove(connection): Unit
    val lease = new LeaseConnection(connection, secret, tasks, catalogs, () => isKnown())
    try DaemonThread("andiron-python-cursor", () => try lease.run() finally end()).start()
    catch {
      case t: Throwable =>
        end()
        throw t
    }
  }

  /** Ends every connection. Idempotent. */
  override def close(): Unit = {
    socket.close()
    Files.deleteIfExists(file)
    connections.forEach(connection => LiveTask.quietly(connection))
  }
}

private[andiron] object LeaseServer {
  private val log = LoggerFactory.getLogger(classOf[LeaseServer])

  /** The file's name; python/andiron/_channel.py reads it. */
  private val FileName = "andiron-python"
  private val MostConnections = 4096
  private val MostStrangers = 128
  private val PauseMillis = 100L
  private val SecretBytes = 32

  /** Starts a server that the workers of the executor with this Spark directory can find. */
  def start(directory: File, tasks: LiveTasks, catalogs: ExecutorCatalogs): LeaseServer = {
    val random = new Array[Byte](SecretBytes)
    new SecureRandom().nextBytes(random)
    val secret = random.map(b => f"${b & 0xff}%02x").mkString
    val socket = new ServerSocket(0, 0, InetAddress.getLoopbackAddress)
    try {
      val file = publish(directory.toPath, s"${socket.getInetAddress.getHostAddress}\n${socket.getLocalPort}\n$secret\n")
      val server = new LeaseServer(socket, secret, file, tasks, catalogs)
      server.acceptor.start()
      server
    } catch {
      case t: Throwable =>
        socket.close()
        throw t
    }
  }

  /**
   * Writes the file with access for its owner only. It is opened once, at creation, so a file put in its place is never
   * written to.
   */
  private[andiron] def publish(directory: Path, text: String): Path = {
    val (file, written) = (directory.resolve(FileName), directory.resolve(s"$FileName.new"))
    Files.deleteIfExists(written)
    val owners = PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"))
    val out = Files.newByteChannel(written, java.util.Set.of[OpenOption](StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE, NOFOLLOW_LINKS), owners)
    try {
      val bytes = ByteBuffer.wrap(text.getBytes(UTF_8))
      while (bytes.hasRemaining) out.write(bytes)
    } finally out.close()
    Files.move(written, file, java.nio.file.StandardCopyOption.ATOMIC_MOVE)
  }
}
