package andiron.testing

import java.net.URI

import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs._
import org.apache.hadoop.fs.permission.FsPermission
import org.apache.hadoop.util.Progressable

/** A Hadoop file system `test:` that reads local files through streams only, with a hook for each opening. */
final class TestFileSystem extends FileSystem {
  private val raw = new RawLocalFileSystem

  override def initialize(name: URI, conf: Configuration): Unit = {
    super.initialize(name, conf)
    raw.initialize(URI.create("file:///"), conf)
  }

  override def getScheme: String = "test"
  override def getUri: URI = URI.create("test:///")

  override def open(path: Path, bufferSize: Int): FSDataInputStream = {
    TestFileSystem.whenOpened(path)
    raw.open(local(path), bufferSize)
  }

  override def getFileStatus(path: Path): FileStatus = {
    val status = raw.getFileStatus(local(path))
    status.setPath(path)
    status
  }

  private def local(path: Path): Path = new Path("file", null, path.toUri.getPath)

  private def readOnly: Nothing = throw new UnsupportedOperationException("this file system is for reading")
  override def create(
      path: Path, permission: FsPermission, overwrite: Boolean, bufferSize: Int, replication: Short, blockSize: Long, progress: Progressable): FSDataOutputStream =
    readOnly
  override def append(path: Path, bufferSize: Int, progress: Progressable): FSDataOutputStream = readOnly
  override def rename(source: Path, target: Path): Boolean = readOnly
  override def delete(path: Path, recursive: Boolean): Boolean = readOnly
  override def listStatus(path: Path): Array[FileStatus] = raw.listStatus(local(path)).map { status =>
    status.setPath(new Path(path, new Path(null, null, status.getPath.getName)))
    status
  }
  override def setWorkingDirectory(path: Path): Unit = readOnly
  override def getWorkingDirectory: Path = new Path("test:///")
  override def mkdirs(path: Path, permission: FsPermission): Boolean = readOnly
}

object TestFileSystem {

  /** Called before each open, in the process that opens. */
  @volatile var whenOpened: Path => Unit = (_: Path) => ()

  val setting: (String, String) = "spark.hadoop.fs.test.impl" -> classOf[TestFileSystem].getName

  /** The same file as a `file:` URI names. */
  def uri(file: String): String = "test:" + file.stripPrefix("file:")
}
