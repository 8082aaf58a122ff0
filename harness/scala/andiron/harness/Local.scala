package andiron.harness

import java.io.FilterInputStream
import java.net.URI

import org.apache.hadoop.fs.{FSDataInputStream, PositionedReadable, RawLocalFileSystem, Seekable}

/** Local files under another scheme, read through streams. */
abstract class LocalFiles(scheme: String) extends RawLocalFileSystem {
  override def getScheme: String = scheme
  override def getUri: URI = URI.create(s"$scheme:///")
}

/** A wrapper of another file system's stream. `before` runs ahead of each sequential read, `passed` gets the number of bytes of every read. */
abstract class Through(in: FSDataInputStream) extends FilterInputStream(in) with Seekable with PositionedReadable {
  protected def before(): Unit = ()
  protected def passed(bytes: Int): Unit = ()

  override def read(): Int = {
    val one = new Array[Byte](1)
    if (read(one, 0, 1) < 0) -1 else one(0) & 0xff
  }

  override def read(target: Array[Byte], start: Int, length: Int): Int = {
    before()
    counted(in.read(target, start, length))
  }

  override def read(position: Long, target: Array[Byte], start: Int, length: Int): Int = counted(in.read(position, target, start, length))

  override def readFully(position: Long, target: Array[Byte], start: Int, length: Int): Unit = {
    in.readFully(position, target, start, length)
    passed(length)
  }

  override def readFully(position: Long, target: Array[Byte]): Unit = readFully(position, target, 0, target.length)
  override def seek(position: Long): Unit = in.seek(position)
  override def getPos: Long = in.getPos
  override def seekToNewSource(position: Long): Boolean = in.seekToNewSource(position)

  private def counted(bytes: Int): Int = {
    if (bytes > 0) passed(bytes)
    bytes
  }
}
