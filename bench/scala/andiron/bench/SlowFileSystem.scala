package andiron.bench

import java.net.URI

import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs.{FSDataInputStream, Path}

import andiron.harness.LocalFiles

/**
 * Local files as `slow:/path`, read through Hadoop's streams like those of a remote file system. `fs.slow.millis` is the sleep when a file is
 * opened, in place of the talk's minute.
 */
final class SlowFileSystem extends LocalFiles("slow") {
  private var millis = 0L

  override def initialize(name: URI, conf: Configuration): Unit = {
    super.initialize(name, conf)
    millis = conf.getLong("fs.slow.millis", 0L)
  }

  override def open(path: Path, buffer: Int): FSDataInputStream = {
    if (millis > 0) Thread.sleep(millis)
    super.open(path, buffer)
  }
}
