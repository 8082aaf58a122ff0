package andiron.cluster

import java.net.URI
import java.nio.file.{Files, Paths, StandardOpenOption}

import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs.{FSDataInputStream, Path}

import andiron.harness.{LocalFiles, Through}

/** `counted:/path`: local files read as streams. Each stream appends a line `<pid> <file name> <bytes read>` to the file `fs.counted.log`. */
final class CountedFileSystem extends LocalFiles("counted") {
  private var log: String = _

  override def initialize(name: URI, conf: Configuration): Unit = {
    super.initialize(name, conf)
    log = conf.get("fs.counted.log")
  }

  override def open(path: Path, bufferSize: Int): FSDataInputStream =
    new FSDataInputStream(new CountedStream(super.open(path, bufferSize), path.getName, log))
}

private final class CountedStream(in: FSDataInputStream, name: String, log: String) extends Through(in) {
  private var count = 0L

  override protected def passed(bytes: Int): Unit = count += bytes

  override def close(): Unit = {
    super.close()
    val line = s"${ProcessHandle.current().pid()} $name $count\n"
    Files.write(Paths.get(log), line.getBytes("UTF-8"), StandardOpenOption.CREATE, StandardOpenOption.APPEND): Unit
    count = 0
  }
}
