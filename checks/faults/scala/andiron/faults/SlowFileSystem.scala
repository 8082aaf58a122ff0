package andiron.faults

import java.io.{File, FileNotFoundException, InputStream, RandomAccessFile}
import java.net.URI

import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs._
import org.apache.hadoop.fs.permission.FsPermission
import org.apache.hadoop.util.Progressable

/**
 * `slow:/path`: local files that are read as a stream which stops in the middle. There it leaves the mark `half-<pid>-<file>` in the
 * folder `fs.slow.signals` and waits for the mark `go`, at most 30 s.
 */
final class SlowFileSystem extends FileSystem {
  private var signals: Signals = _

  override def initialize(name: URI, conf: Configuration): Unit = {
    super.initialize(name, conf)
    setConf(conf)
    signals = new Signals(conf.get("fs.slow.signals"))
  }

  override def getScheme: String = "slow"
  override def getUri: URI = URI.create("slow:///")
  override def getWorkingDirectory: Path = new Path("slow:///")
  override def setWorkingDirectory(path: Path): Unit = ()

  private def file(path: Path): File = new File(path.toUri.getPath)

  override def getFileStatus(path: Path): FileStatus = {
    val local = file(path)
    if (!local.exists()) throw new FileNotFoundException(path.toString)
    new FileStatus(local.length(), local.isDirectory, 1, 1L << 20, local.lastModified(), makeQualified(path))
  }

  override def open(path: Path, bufferSize: Int): FSDataInputStream = new FSDataInputStream(new SlowStream(file(path), signals))

  private def readOnly: Nothing = throw new UnsupportedOperationException("slow: is read-only")

  override def create(
      path: Path, permission: FsPermission, overwrite: Boolean, bufferSize: Int, replication: Short, blockSize: Long,
      progress: Progressable): FSDataOutputStream = readOnly
  override def append(path: Path, bufferSize: Int, progress: Progressable): FSDataOutputStream = readOnly
  override def rename(from: Path, to: Path): Boolean = readOnly
  override def delete(path: Path, recursive: Boolean): Boolean = readOnly
  override def mkdirs(path: Path, permission: FsPermission): Boolean = readOnly
  override def listStatus(path: Path): Array[FileStatus] = Array(getFileStatus(path))
}

private final class SlowStream(file: File, signals: Signals) extends InputStream with Seekable with PositionedReadable {
  private val in = new RandomAccessFile(file, "r")
  private var hasStopped = false

  override def read(): Int = {
    val one = new Array[Byte](1)
    if (read(one, 0, 1) < 0) -1 else one(0) & 0xff
  }

  override def read(target: Array[Byte], start: Int, length: Int): Int = {
    if (!hasStopped && in.getFilePointer >= file.length() / 2) stop()
    in.read(target, start, math.min(length, 256 << 10))
  }

  private def stop(): Unit = {
    hasStopped = true
    signals.mark(s"half-${ProcessHandle.current().pid()}-${file.getName}")
    Waiting.until("mark 'go'", 30)(signals.has("go"))
  }

  override def close(): Unit = in.close()
  override def seek(position: Long): Unit = in.seek(position)
  override def getPos: Long = in.getFilePointer
  override def seekToNewSource(position: Long): Boolean = false

  override def read(position: Long, target: Array[Byte], start: Int, length: Int): Int = {
    val before = in.getFilePointer
    in.seek(position)
    try in.read(target, start, length)
    finally in.seek(before)
  }

  override def readFully(position: Long, target: Array[Byte], start: Int, length: Int): Unit = {
    in.seek(position)
    in.readFully(target, start, length)
  }

  override def readFully(position: Long, target: Array[Byte]): Unit = readFully(position, target, 0, target.length)
}
