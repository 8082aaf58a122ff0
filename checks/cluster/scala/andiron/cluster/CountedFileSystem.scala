package andiron.cluster

import java.io.FilterInputStream
import java.net.URI
import java.nio.file.{Files, Paths, StandardOpenOption}

import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs.{FSDataInputStream, Path, PositionedReadable, RawLocalFileSystem, Seekable}

/** `counted:/path`: local files that are read as streams. Each stream adds a line `<pid> <file name> <bytes read>` to the file `fs.counted.log`. */
final class CountedFileSystem extends RawLocalFileSystem {
  private var log: String = _

  override def initialize(name: URI, conf: Configuration): Unit = {
    super.initialize(name, conf)
    log = conf.get("fs.counted.log")
  }

  override def getScheme: String = "counted"
  override def getUri: URI = URI.create("counted:///")

  override def open(path: Path, bufferSize: Int): FSDataInputStream =
    new FSDataInputStream(new CountedStream(super.open(path, bufferSize), path.getName, log))
}

private final class CountedStream(in: FSDataInputStream, name: String, log: String) extends FilterInputStream(in) with Seekable with PositionedReadable {
  private var count = 0L

  private def counted(read: Int): Int = {
    count += math.max(0, read)
    read
  }

  override def read(): Int = {
    val one = super.read()
    if (one >= 0) count += 1
    one
  }

  override def read(target: Array[Byte], start: Int, length: Int): Int = counted(super.read(target, start, length))
  override def read(position: Long, target: Array[Byte], start: Int, length: Int): Int = counted(in.read(position, target, start, length))

  override def readFully(position: Long, target: Array[Byte], start: Int, length: Int): Unit = {
    in.readFully(position, target, start, length)
    counted(length): Unit
  }

  override def readFully(position: Long, target: Array[Byte]): Unit = readFully(position, target, 0, target.length)
  override def seek(position: Long): Unit = in.seek(position)
  override def getPos: Long = in.getPos
  override def seekToNewSource(position: Long): Boolean = in.seekToNewSource(position)

  override def close(): Unit = {
    super.close()
    val line = s"${ProcessHandle.current().pid()} $name $count\n"
    Files.write(Paths.get(log), line.getBytes("UTF-8"), StandardOpenOption.CREATE, StandardOpenOption.APPEND): Unit
    count = 0
  }
}
