package andiron.testing

import java.io.{ByteArrayOutputStream, FileNotFoundException, IOException}
import java.net.URI
import java.nio.file.{Files, Paths}

import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs._
import org.apache.hadoop.fs.permission.FsPermission
import org.apache.hadoop.util.Progressable

/**
 * Local files under `s3a:`, with the rules of an object store: a file appears when it is closed and then replaces one that
 * exists, and there is no rename.
 */
final class StoreFileSystem extends FileSystem {
  private val raw = new RawLocalFileSystem

  override def initialize(name: URI, conf: Configuration): Unit = {
    super.initialize(name, conf)
    raw.initialize(URI.create("file:///"), conf)
  }

  override def getScheme: String = "s3a"
  override def getUri: URI = URI.create("s3a://bucket")
  override def open(path: Path, bufferSize: Int): FSDataInputStream = raw.open(local(path), bufferSize)

  override def create(
      path: Path, permission: FsPermission, overwrite: Boolean, bufferSize: Int, replication: Short, blockSize: Long, progress: Progressable): FSDataOutputStream = {
    if (!overwrite && raw.exists(local(path))) throw new FileAlreadyExistsException(path.toString)
    val bytes = new ByteArrayOutputStream {
      override def close(): Unit = {
        StoreFileSystem.beforeClose(path)
        val file = Paths.get(local(path).toUri.getPath)
        Files.createDirectories(file.getParent)
        Files.write(file, toByteArray)
        StoreFileSystem.afterClose(path)
      }
    }
    new FSDataOutputStream(bytes, null)
  }

  override def getFileStatus(path: Path): FileStatus = named(raw.getFileStatus(local(path)))
  override def listStatus(path: Path): Array[FileStatus] =
    if (raw.exists(local(path))) raw.listStatus(local(path)).map(named) else throw new FileNotFoundException(path.toString)
  override def delete(path: Path, recursive: Boolean): Boolean = raw.delete(local(path), recursive)
  override def mkdirs(path: Path, permission: FsPermission): Boolean = raw.mkdirs(local(path))
  override def append(path: Path, bufferSize: Int, progress: Progressable): FSDataOutputStream = throw new UnsupportedOperationException
  override def rename(source: Path, target: Path): Boolean = throw new IOException("a rename on an object store")
  override def setWorkingDirectory(path: Path): Unit = throw new UnsupportedOperationException
  override def getWorkingDirectory: Path = new Path("s3a://bucket/")

  private def local(path: Path): Path = new Path("file", null, path.toUri.getPath)

  private def named(status: FileStatus): FileStatus = {
    status.setPath(new Path(s"s3a://bucket${status.getPath.toUri.getPath}"))
    status
  }
}

object StoreFileSystem {

  /** Called before a file appears; an error keeps it away. */
  @volatile var beforeClose: Path => Unit = (_: Path) => ()

  /** Called when a file has appeared, before its writer hears of it. */
  @volatile var afterClose: Path => Unit = (_: Path) => ()

  val settings: Seq[(String, String)] = Seq("spark.hadoop.fs.s3a.impl" -> classOf[StoreFileSystem].getName)
}
