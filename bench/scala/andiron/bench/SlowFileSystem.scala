package andiron.bench

import java.net.URI

import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs._
import org.apache.hadoop.fs.permission.FsPermission
import org.apache.hadoop.util.Progressable

/**
 * Local files as `slow:/path`, read through Hadoop's streams like those of a remote file system. `fs.slow.millis` is what opening a
 * file sleeps: it stands for the minute that the talk's load takes. Read-only.
 */
final class SlowFileSystem extends FileSystem {
  private val local = new RawLocalFileSystem
  private var millis = 0L

  override def initialize(name: URI, conf: Configuration): Unit = {
    super.initialize(name, conf)
    local.initialize(URI.create("file:///"), conf)
    millis = conf.getLong("fs.slow.millis", 0L)
    setConf(conf)
  }

  override def getUri: URI = URI.create("slow:///")

  override def open(path: Path, buffer: Int): FSDataInputStream = {
    if (millis > 0) Thread.sleep(millis)
    local.open(raw(path), buffer)
  }

  override def getFileStatus(path: Path): FileStatus = {
    val status = local.getFileStatus(raw(path))
    new FileStatus(status.getLen, status.isDirectory, 1, status.getBlockSize, status.getModificationTime, makeQualified(path))
  }

  override def getWorkingDirectory: Path = new Path("slow:///")
  override def setWorkingDirectory(path: Path): Unit = refuse()
  override def create(path: Path, permission: FsPermission, overwrite: Boolean, buffer: Int, replication: Short, block: Long,
      progress: Progressable): FSDataOutputStream = refuse()
  override def append(path: Path, buffer: Int, progress: Progressable): FSDataOutputStream = refuse()
  override def rename(from: Path, to: Path): Boolean = refuse()
  override def delete(path: Path, recursive: Boolean): Boolean = refuse()
  override def mkdirs(path: Path, permission: FsPermission): Boolean = refuse()
  override def listStatus(path: Path): Array[FileStatus] = refuse()

  private def raw(path: Path): Path = new Path(path.toUri.getPath)

  private def refuse(): Nothing = throw new UnsupportedOperationException("slow: files are only opened and looked at")
}
