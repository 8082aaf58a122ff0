package andiron.internal.cache

import java.io.IOException
import java.net.URI
import java.util.concurrent.TimeUnit

import scala.util.control.NonFatal

import org.apache.hadoop.fs.{FileSystem, Path}
import org.apache.hadoop.security.UserGroupInformation
import org.slf4j.LoggerFactory

/**
 * The file systems of this process, one for each user and settings. Hadoop's own cache ignores settings: the first
 * caller that names a bucket determines the credentials of all later ones. Any thread.
 */
private[andiron] object FileSystems {
  private final case class Key(scheme: String, authority: String, user: UserGroupInformation, settings: String)

  private final class Opened(val system: FileSystem, var asked: Long)

  private val log = LoggerFactory.getLogger("andiron.FileSystems")

  /** A file system unused for this time is closed when another is opened. Longer than any load takes. */
  private val IdleNanos = TimeUnit.HOURS.toNanos(4)
  private val opened = new java.util.HashMap[Key, Opened]

  /** The file system of `path` for the calling user with these settings. */
  def of(path: Path, settings: HadoopSettings): FileSystem = {
    val uri = complete(path.toUri, FileSystem.getDefaultUri(settings.configuration))
    val key = Key(lower(uri.getScheme), lower(uri.getAuthority), UserGroupInformation.getCurrentUser, settings.fingerprint)
    known(key).getOrElse {
      // Outside the lock: opening may take seconds.
      val fresh = FileSystem.newInstance(uri, settings.configuration)
      val (mine, idle) = synchronized {
        val now = System.nanoTime()
        val mine = opened.computeIfAbsent(key, _ => new Opened(fresh, now)).system
        var idle = Vector.empty[FileSystem]
        opened.values.removeIf { other =>
          val goes = now - other.asked > IdleNanos
          if (goes) idle :+= other.system
          goes
        }
        (mine, if (mine eq fresh) idle else idle :+ fresh)
      }
      idle.foreach(close)
      mine
    }
  }

  private def known(key: Key): Option[FileSystem] = synchronized {
    Option(opened.get(key)).map { found =>
      found.asked = System.nanoTime()
      found.system
    }
  }

  /** Reports that `system` failed with `error`. A file system that other code has closed is not handed out again. */
  def failed(system: FileSystem, error: IOException): Unit =
    if (String.valueOf(error.getMessage).toLowerCase(java.util.Locale.ROOT).contains("filesystem closed"))
      synchronized(opened.values.removeIf(other => other.system eq system)): Unit

  /**
   * Completes a name as Hadoop does: one without a scheme, or with the default's scheme and no authority, means the
   * default file system.
   */
  private def complete(uri: URI, default: URI): URI =
    if (uri.getScheme == null && uri.getAuthority == null) default
    else if (uri.getAuthority == null && default.getAuthority != null && default.getScheme == uri.getScheme) default
    else uri

  private def lower(part: String): String = if (part == null) "" else part.toLowerCase(java.util.Locale.ROOT)

  private def close(system: FileSystem): Unit =
    try system.close()
    catch { case NonFatal(e) => log.debug("a file system could not be closed", e) }
}
