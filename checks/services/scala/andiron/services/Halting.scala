package andiron.services

import java.net.URI

import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs._

import andiron.harness.Through

/**
 * The file system whose class `fs.<scheme>.halting` names, with streams that can be made to halt: once armed, the next stream that is
 * opened runs an action when it has given a number of bytes. Not armed, it opens that file system's own streams.
 */
final class Halting extends FilterFileSystem {
  override def initialize(name: URI, conf: Configuration): Unit = {
    fs = conf.getClassByName(conf.get(s"fs.${name.getScheme}.halting")).getDeclaredConstructor().newInstance().asInstanceOf[FileSystem]
    super.initialize(name, conf)
  }

  override def open(path: Path, bufferSize: Int): FSDataInputStream = {
    val stream = super.open(path, bufferSize)
    Halting.take().fold(stream)(halt => new FSDataInputStream(new HaltingStream(stream, halt)))
  }
}

object Halting {

  /** `action` runs when `after` bytes have been given. */
  final case class Halt(after: Long, action: () => Unit)

  private var armed = Option.empty[Halt]

  def arm(after: Long)(action: => Unit): Unit = synchronized { armed = Some(Halt(after, () => action)) }

  def disarm(): Unit = synchronized { armed = None }

  private def take(): Option[Halt] = synchronized {
    val halt = armed
    armed = None
    halt
  }
}

private final class HaltingStream(in: FSDataInputStream, halt: Halting.Halt) extends Through(in) {
  private var gone = 0L
  private var hasHalted = false

  override protected def passed(bytes: Int): Unit = gone += bytes

  override protected def before(): Unit = if (!hasHalted && gone >= halt.after) {
    hasHalted = true
    halt.action()
  }
}
