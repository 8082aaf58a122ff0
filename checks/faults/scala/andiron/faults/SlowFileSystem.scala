package andiron.faults

import java.net.URI

import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs.{FSDataInputStream, Path}

import andiron.harness.{LocalFiles, Signals, Through, Waiting}

/**
 * `slow:/path`: local files, read as streams that stop halfway. There a stream sets the mark `half-<pid>-<file>` in the folder
 * `fs.slow.signals` and waits for the mark `go`, at most 30 s.
 */
final class SlowFileSystem extends LocalFiles("slow") {
  private var signals: Signals = _

  override def initialize(name: URI, conf: Configuration): Unit = {
    super.initialize(name, conf)
    signals = new Signals(conf.get("fs.slow.signals"))
  }

  override def open(path: Path, bufferSize: Int): FSDataInputStream = new FSDataInputStream(new SlowStream(super.open(path, bufferSize), path.getName, signals,
    getFileStatus(path).getLen / 2))
}

private final class SlowStream(in: FSDataInputStream, name: String, signals: Signals, half: Long) extends Through(in) {
  private var hasStopped = false

  override protected def before(): Unit = if (!hasStopped && getPos >= half) {
    hasStopped = true
    signals.mark(s"half-${ProcessHandle.current().pid()}-$name")
    Waiting.until("mark 'go'", 30)(signals.has("go"))
  }

  override def read(target: Array[Byte], start: Int, length: Int): Int = super.read(target, start, math.min(length, 256 << 10))
}
