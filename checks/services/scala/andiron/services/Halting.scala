package andiron.services

import java.net.URI

import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs._

import andiron.harness.Through

/**
 * A wrapper of the file system whose class `fs.<scheme>.halting` names. Once armed, the next opened stream runs an action after it has
 * delivered a number of bytes. Without arming, it opens the streams of the wrapped file system.
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

  /** `action` runs after `after` bytes are delivered. */
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
