package andiron.testing

import java.net.URI
import java.util.concurrent.ConcurrentHashMap

import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs._
import org.apache.hadoop.fs.permission.FsPermission
import org.apache.hadoop.security.AccessControlException
import org.apache.hadoop.util.Progressable

/** A Hadoop file system `keyed:` that reads local files if `fs.keyed.key` was a valid key when the file system was made. */
final class KeyedFileSystem extends FileSystem {
  private val raw = new RawLocalFileSystem
  private var key: String = _

  override def initialize(name: URI, conf: Configuration): Unit = {
    super.initialize(name, conf)
    raw.initialize(URI.create("file:///"), conf)
    key = conf.get("fs.keyed.key", "no key")
  }

  private def allowed(path: Path): Path = {
    if (!KeyedFileSystem.keys.contains(key)) throw new AccessControlException(s"'$key' may not read $path")
    new Path("file", null, path.toUri.getPath)
  }

  override def getScheme: String = "keyed"
  override def getUri: URI = URI.create("keyed:///")

  override def open(path: Path, bufferSize: Int): FSDataInputStream = {
    val local = allowed(path)
    KeyedFileSystem.opened.add(s"$key ${path.getName}")
    raw.open(local, bufferSize)
  }

  override def getFileStatus(path: Path): FileStatus = {
    val status = raw.getFileStatus(allowed(path))
    status.setPath(path)
    status
  }

  private def readOnly: Nothing = throw new UnsupportedOperationException("this file system is for reading")
  override def create(
      path: Path, permission: FsPermission, overwrite: Boolean, bufferSize: Int, replication: Short, blockSize: Long, progress: Progressable): FSDataOutputStream =
    readOnly
  override def append(path: Path, bufferSize: Int, progress: Progressable): FSDataOutputStream = readOnly
  override def rename(source: Path, target: Path): Boolean = readOnly
  override def delete(path: Path, recursive: Boolean): Boolean = readOnly
  override def listStatus(path: Path): Array[FileStatus] = Array(getFileStatus(path))
  override def setWorkingDirectory(path: Path): Unit = readOnly
  override def getWorkingDirectory: Path = new Path("keyed:///")
  override def mkdirs(path: Path, permission: FsPermission): Boolean = readOnly
}

object KeyedFileSystem {

  /** The keys in force. */
  val keys: java.util.Set[String] = ConcurrentHashMap.newKeySet[String]()

  /** Each file that was opened, after the key with which it was. */
  val opened: java.util.Set[String] = ConcurrentHashMap.newKeySet[String]()

  val setting: (String, String) = "spark.hadoop.fs.keyed.impl" -> classOf[KeyedFileSystem].getName

  /** The same file as a `file:` URI names. */
  def uri(file: String): String = "keyed:" + file.stripPrefix("file:")
}
