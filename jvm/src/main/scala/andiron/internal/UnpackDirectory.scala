package andiron.internal

import java.io.IOException
import java.nio.file.attribute.{FileTime, PosixFilePermissions}
import java.nio.file.{Files, Path, Paths}
import java.time.{Duration, Instant}

import andiron.NativeLibraryException

import scala.util.control.NonFatal

/** A fresh directory for one library, readable by its owner only; it lives from unpacking to linking. */
private[internal] final class UnpackDirectory private (val path: Path) {

  /** Removes the directory and its files. A library that is linked stays usable. */
  def delete(): Unit = UnpackDirectory.remove(path)
}

private[internal] object UnpackDirectory {
  private val Name = "andiron-(\\d+)-.*".r

  /** Linking takes far less; a directory that is younger may belong to a process that is invisible here (another container). */
  private val Grace = Duration.ofMinutes(10)

  /** Makes `andiron-<pid>-<random>` under `java.io.tmpdir`, after sweeping what dead processes left there. */
  def create(): UnpackDirectory = {
    val tmp = Paths.get(System.getProperty("java.io.tmpdir"))
    sweep(tmp, Instant.now())
    try {
      val owner = PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"))
      new UnpackDirectory(Files.createTempDirectory(tmp, s"andiron-${ProcessHandle.current().pid()}-", owner))
    } catch {
      case e: IOException =>
        throw new NativeLibraryException(
          NativeLibrary.Unavailable,
          s"The native library cannot be unpacked under $tmp: $e. Choose a directory that can be written with " +
            s"-Djava.io.tmpdir=<directory>, or name an unpacked library by -D${NativeLibrary.PathProperty}=<file>.",
          e)
    }
  }

  /** Removes directories older than the grace whose process has ended, or began after them. What cannot be removed stays. */
  def sweep(tmp: Path, now: Instant): Unit =
    try {
      val found = Files.newDirectoryStream(tmp, "andiron-*")
      try found.forEach { path =>
        path.getFileName.toString match {
          case Name(pid) if Files.isDirectory(path, java.nio.file.LinkOption.NOFOLLOW_LINKS) =>
            val made = Files.getLastModifiedTime(path)
            if (made.toInstant.isBefore(now.minus(Grace)) && !isMakerAlive(pid.toLong, made)) remove(path)
          case _ =>
        }
      } finally found.close()
    } catch {
      case NonFatal(_) => // another user's directory, or one that vanished: nothing to clean
    }

  private def isMakerAlive(pid: Long, made: FileTime): Boolean = {
    val process = ProcessHandle.of(pid)
    process.isPresent && !process.get.info.startInstant.filter(_.isAfter(made.toInstant)).isPresent
  }

  private def remove(path: Path): Unit =
    try {
      val files = Files.newDirectoryStream(path)
      try files.forEach(file => Files.delete(file))
      finally files.close()
      Files.delete(path)
    } catch {
      case _: IOException => // the next sweep tries again
    }
}
