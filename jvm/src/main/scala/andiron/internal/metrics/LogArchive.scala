package andiron.internal.metrics

import java.io.File
import java.net.URI
import java.nio.file.Files
import java.nio.file.LinkOption.NOFOLLOW_LINKS
import java.util.concurrent.TimeUnit

import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs.{CreateFlag, FileContext, FileSystem, Options, Path}
import org.slf4j.LoggerFactory

/**
 * Copies the segments of an application's log to a Hadoop directory. Every 10 s it copies the segments that have grown,
 * so that the log is preserved up to about 10 s before the loss of the driver's disk. A copy replaces the previous one
 * as a whole. It has its own thread: a file system that fails or hangs delays only the copies.
 */
private[andiron] final class LogArchive(folder: File, archive: URI, hadoop: Configuration) {
  private var copied = Map.empty[String, Long]
  @volatile private var isOpen = true
  private var hasFailed = false
  private val thread = new Thread(() => run(), "andiron-archive")
  thread.setDaemon(true)
  thread.start()

  private def run(): Unit = {
    while (isOpen) {
      try Thread.sleep(LogArchive.PauseMillis)
      catch { case _: InterruptedException => () }
      attempt()
    }
    attempt()
  }

  private def attempt(): Unit =
    try {
      copy()
      hasFailed = false
    } catch {
      case t: Throwable =>
        if (!hasFailed) LogArchive.log.warn(s"the log ${folder.getName} cannot be copied to $archive; retrying every 10 s", t)
        hasFailed = true
    }

  private def copy(): Unit = {
    val grown = Option(folder.listFiles()).toSeq.flatten.filter(file =>
      LogArchive.isSegment(file.getName) && Files.isRegularFile(file.toPath, NOFOLLOW_LINKS) && !copied.get(file.getName).contains(file.length()))
    if (grown.nonEmpty) {
      val to = new Path(new Path(archive), folder.getName)
      val context = FileContext.getFileContext(archive, hadoop)
      grown.sortBy(_.getName).foreach { file =>
        val length = file.length()
        val part = new Path(to, s".${file.getName}.part")
        val out = context.create(part, java.util.EnumSet.of(CreateFlag.CREATE, CreateFlag.OVERWRITE), Options.CreateOpts.createParent())
        try {
          val in = Files.newInputStream(file.toPath, NOFOLLOW_LINKS)
          try in.transferTo(out): Unit
          finally in.close()
        } finally out.close()
        context.rename(part, new Path(to, file.getName), Options.Rename.OVERWRITE)
        copied += file.getName -> length
      }
    }
  }

  /** Copies the remaining segments and waits for that at most `millis`. */
  def close(millis: Long): Unit = {
    isOpen = false
    thread.interrupt()
    thread.join(math.max(1, millis))
    if (thread.isAlive) LogArchive.log.warn(s"the last part of the log ${folder.getName} is not in $archive after $millis ms; it is in $folder")
  }
}

private[andiron] object LogArchive {
  private val log = LoggerFactory.getLogger(classOf[LogArchive])
  private val PauseMillis = TimeUnit.SECONDS.toMillis(10)

  private def isSegment(name: String): Boolean = name.startsWith("segment-") && name.endsWith(".log")

  /** Copies from an archive to a local directory the logs in folders with wanted names. */
  def fetch(archive: URI, isWanted: String => Boolean, to: File, hadoop: Configuration): Unit = {
    val fs = FileSystem.get(archive, hadoop)
    fs.listStatus(new Path(archive)).filter(status => status.isDirectory && isWanted(status.getPath.getName)).foreach { status =>
      val folder = Files.createDirectories(to.toPath.resolve(status.getPath.getName))
      fs.listStatus(status.getPath).filter(file => isSegment(file.getPath.getName)).foreach { file =>
        val in = fs.open(file.getPath)
        try Files.copy(in, folder.resolve(file.getPath.getName)): Unit
        finally in.close()
      }
    }
  }

  /** Whether a folder with this name has a log of the application or of one of its attempts. */
  def isOf(application: String, folder: String): Boolean = folder == application || folder.startsWith(s"$application.")
}
