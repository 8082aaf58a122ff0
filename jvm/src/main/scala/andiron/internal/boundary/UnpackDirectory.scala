package andiron.internal.boundary

import java.io.IOException
import java.nio.file.LinkOption.NOFOLLOW_LINKS
import java.nio.file.attribute.{BasicFileAttributeView, FileTime, PosixFileAttributeView, PosixFileAttributes, PosixFilePermissions, UserPrincipal}
import java.nio.file.{Files, Path, Paths, SecureDirectoryStream}
import java.time.{Duration, Instant}

import scala.util.control.NonFatal

import andiron.NativeLibraryException

/** A fresh directory for one library, accessible only to its owner, that exists from unpacking to linking. */
private[internal] final class UnpackDirectory private (val path: Path) {

  /** Removes the directory and its files. A linked library stays usable. */
  def delete(): Unit = UnpackDirectory.delete(path)
}

/**
 * Other users may write to `java.io.tmpdir` and replace any name in it at any moment. The sweep therefore inspects and
 * removes directories through descriptors, follows no link, and skips directories that belong to another user or are
 * accessible to others. Where Java has no such descriptors (outside Linux), nothing is swept, and a process removes
 * only its own directory.
 */
private[internal] object UnpackDirectory {
  private val Name = "andiron-(\\d+)-.*".r
  private val OwnersOnly = PosixFilePermissions.fromString("rwx------")

  /** Prefix of the names of unpacked files. Other files stay, and so does their directory. */
  private val Library = "libandiron"

  /**
   * Linking takes far less; a younger directory may belong to a process that is invisible here (in another container).
   */
  private val Grace = Duration.ofMinutes(10)

  /**
   * Makes `andiron-<pid>-<random>` under `java.io.tmpdir`, and sweeps the directories of this user's dead processes on
   * a separate thread, for which no thread waits: a pipe in the place of a directory may block it.
   */
  def create(): UnpackDirectory = {
    val tmp = Paths.get(System.getProperty("java.io.tmpdir"))
    val made =
      try Files.createTempDirectory(tmp, s"andiron-${ProcessHandle.current().pid()}-", PosixFilePermissions.asFileAttribute(OwnersOnly))
      catch {
        case e: IOException =>
          throw new NativeLibraryException(
            NativeLibrary.Unavailable,
            s"The native library cannot be unpacked under $tmp: $e. Choose a directory that can be written with " +
              s"-Djava.io.tmpdir=<directory>, or name an unpacked library by -D${NativeLibrary.PathProperty}=<file>.",
            e)
      }
    // The owner of the new directory is this process's user. The directory may be removed before the sweep ends.
    within(tmp)(open => owner(open, made.getFileName).foreach(user => onItsOwn(() => sweep(tmp, user, Instant.now()))))
    new UnpackDirectory(made)
  }

  private def onItsOwn(task: Runnable): Unit = {
    val thread = new Thread(null, task, "andiron-sweep", 0L, false)
    thread.setDaemon(true)
    thread.setContextClassLoader(null)
    try thread.start()
    catch { case _: OutOfMemoryError => () } // no thread available: the next start sweeps
  }

  /**
   * Removes `owner`'s directories older than the grace period whose process has ended, or was started after them.
   * Errors are skipped.
   */
  private[internal] def sweep(path: Path, owner: UserPrincipal, now: Instant): Unit = {
    within(path) { tmp =>
      tmp.forEach { entry =>
        val name = entry.getFileName
        name.toString match {
          case Name(pid) => remove(tmp, name, owner)(made => made.toInstant.isBefore(now.minus(Grace)) && !isMakerAlive(pid.toLong, made))
          case _         =>
        }
      }
    }
    ()
  }

  private def isMakerAlive(pid: Long, made: FileTime): Boolean = {
    val process = ProcessHandle.of(pid)
    process.isPresent && !process.get.info.startInstant.filter(_.isAfter(made.toInstant)).isPresent
  }

  /**
   * Removes a directory that only `owner` can access if its modification time is `due`. Files that are not
   * Andiron's prevent the removal.
   */
  private def remove(tmp: SecureDirectoryStream[Path], name: Path, owner: UserPrincipal)(due: FileTime => Boolean): Unit = quietly {
    if (named(tmp, name).isDirectory) {
      val directory = open(tmp, name)
      try {
        val found = attributes(directory)
        if (found.isDirectory && found.owner == owner && found.permissions == OwnersOnly && due(found.lastModifiedTime)) {
          directory.forEach(file => if (file.getFileName.toString.startsWith(Library)) directory.deleteFile(file.getFileName))
          if (named(tmp, name).fileKey == found.fileKey) tmp.deleteDirectory(name)
        }
      } finally directory.close()
    }
  }

  private def delete(made: Path): Unit = {
    val name = made.getFileName
    val areThere = within(made.toAbsolutePath.getParent)(tmp => owner(tmp, name).foreach(remove(tmp, name, _)(_ => true)))
    if (!areThere) quietly {
      val files = Files.newDirectoryStream(made, s"$Library*")
      try files.forEach(file => Files.delete(file))
      finally files.close()
      Files.delete(made)
    }
  }

  private def owner(tmp: SecureDirectoryStream[Path], name: Path): Option[UserPrincipal] =
    if (!named(tmp, name).isDirectory) None
    else {
      val directory = open(tmp, name)
      try Some(attributes(directory).owner)
      finally directory.close()
    }

  /** Runs `body` if Java supports descriptors of directories here; returns whether it does. */
  private def within(path: Path)(body: SecureDirectoryStream[Path] => Unit): Boolean = {
    var areThere = true
    quietly {
      val stream = Files.newDirectoryStream(path)
      try stream match {
        case secure: SecureDirectoryStream[Path @unchecked] => body(secure)
        case _                                              => areThere = false
      } finally stream.close()
    }
    areThere
  }

  private def open(tmp: SecureDirectoryStream[Path], name: Path): SecureDirectoryStream[Path] =
    tmp.newDirectoryStream(name, NOFOLLOW_LINKS)

  /** Attributes of the open directory itself, independent of its name. */
  private def attributes(directory: SecureDirectoryStream[Path]): PosixFileAttributes =
    directory.getFileAttributeView(classOf[PosixFileAttributeView]).readAttributes()

  private def named(tmp: SecureDirectoryStream[Path], name: Path) =
    tmp.getFileAttributeView(name, classOf[BasicFileAttributeView], NOFOLLOW_LINKS).readAttributes()

  private def quietly(body: => Unit): Unit =
    try body
    catch { case NonFatal(_) => () } // removed meanwhile, or not accessible; the next sweep tries again
}
