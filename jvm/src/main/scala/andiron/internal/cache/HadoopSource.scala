package andiron.internal.cache

import java.io.{File, FileNotFoundException, IOException}
import java.net.URI

import scala.util.control.NonFatal

import org.apache.hadoop.fs.{FSDataInputStream, FileStatus, FileSystem, LocalFileSystem, Path, RawLocalFileSystem}

import andiron.{AndironException, ErrorCode}

/**
 * A file readable by Hadoop. `label` names it in messages. File system errors are thrown as typed exceptions with their
 * cause.
 */
private[andiron] final class HadoopSource(source: String, label: String, settings: HadoopSettings) {

  private val (fileSystem: FileSystem, path: Path) = attempt {
    val named = new Path(source)
    val system = FileSystems.of(named, settings)
    (system, system.makeQualified(named))
  }

  /** The absolute URI, with its scheme. */
  def uri: String = path.toString

  /** Current length and modification time. Fails for a directory. */
  def status(): FileStatus = {
    val status = attempt(fileSystem.getFileStatus(path))
    if (status.isDirectory)
      throw AndironException.of(ErrorCode.SourceMissing, s"$label is a directory: name a file, or use Loader.files, which takes directories", null)
    status
  }

  /** Lists the source: the file itself, or all files below the directory. */
  def files(): SourceFiles = {
    val root = attempt(fileSystem.getFileStatus(path))
    if (root.isDirectory) SourceFiles(isDirectory = true, below(path, "", 0).sortBy(_.name)(SourceSurvey.binaryOrder))
    else SourceFiles(isDirectory = false, Seq(entry("", root)))
  }

  private def below(directory: Path, prefix: String, depth: Int): Seq[SourceFiles.Entry] = {
    if (depth >= SourceFiles.Deepest) throw tooMany(s"directories nested deeper than ${SourceFiles.Deepest}")
    val found = attempt(fileSystem.listStatus(directory)).toSeq.flatMap { status =>
      if (status.isDirectory) below(status.getPath, s"$prefix${status.getPath.getName}/", depth + 1) else Seq(entry(prefix, status))
    }
    if (found.size > SourceFiles.Most) throw tooMany(s"more than ${SourceFiles.Most} files")
    found
  }

  private def entry(prefix: String, status: FileStatus): SourceFiles.Entry =
    SourceFiles.Entry(prefix + status.getPath.getName, status.getPath.toString, status.getLen, status.getModificationTime)

  private def tooMany(what: String): AndironException =
    AndironException.of(ErrorCode.BadArgument, s"$label has $what: do its links form a circle? Name a directory with a single version", null)

  /** Fails if the files differ from `before`. */
  def requireUnchanged(before: SourceFiles): Unit =
    if (files() != before) throw changed("was written to while it was loaded")

  /** Fails if the files differ from the catalog's declaration; `modified` is -1 if unknown. */
  def requireDeclared(files: SourceFiles, form: String, bytes: Long, modified: Long): Unit = {
    if (files.form != form || (modified >= 0 && files.fingerprint != modified))
      throw changed(s"was written to after the catalog was made (now ${files.entries.size} files of ${files.bytes} bytes)")
    requireLength(files.bytes, bytes)
  }

  /**
   * Opens the file. Hadoop derives a path from the name of the checksum file and parses a colon in it as the end of a
   * scheme, so a local file without a checksum file is opened without checksums.
   */
  def open(): FSDataInputStream = attempt(localFile match {
    case Some((file, Some(checksums))) if !checksumOf(file).exists => checksums.getRawFileSystem.open(path)
    case _                                                         => fileSystem.open(path)
  })

  /** Path of the checksum file that Hadoop keeps for a local file. */
  private def checksumOf(file: File): File = new File(file.getParentFile, s".${file.getName}.crc")

  /**
   * The source's path on this machine, if it has one and a read through Hadoop would not verify a checksum file beside
   * it.
   */
  def localPath: Option[String] = localFile.collect {
    case (file, checksums) if checksums.isEmpty || !checksumOf(file).exists => file.getPath
  }

  /** The path for mapping the source in place. Fails unless it is a local file. */
  def requireLocalPath(): String = localFile match {
    case Some((file, _)) if file.isFile => file.getPath
    case Some((file, _))                => throw missing(new FileNotFoundException(file.getPath))
    case None =>
      throw AndironException.of(ErrorCode.BadArgument,
        s"$label is declared immutable, which needs a local file, but it is read through ${fileSystem.getClass.getName}: " +
          "use a file: URI that exists on every executor, or leave immutable out", null)
  }

  /**
   * The local file of `path` in Hadoop's own local file system, and the wrapper that maintains checksum files, if there
   * is one.
   */
  private def localFile: Option[(File, Option[LocalFileSystem])] = fileSystem match {
    case local: LocalFileSystem if local.getRawFileSystem.getClass == classOf[RawLocalFileSystem] => Some((local.pathToFile(path), Some(local)))
    case raw: RawLocalFileSystem if raw.getClass == classOf[RawLocalFileSystem]                   => Some((raw.pathToFile(path), None))
    case _                                                                                        => None
  }

  def requireLength(status: FileStatus, declared: Long): Unit = requireLength(status.getLen, declared)

  def requireLength(bytes: Long, declared: Long): Unit =
    if (bytes != declared)
      throw AndironException.of(ErrorCode.SourceSizeMismatch,
        s"$label has $bytes bytes, but the catalog declares $declared: it was truncated or rewritten, or the declaration is wrong", null)

  /** Fails if the source has changed since `before`. */
  def requireUnchanged(before: FileStatus): Unit = {
    val now = status()
    if (now.getLen != before.getLen || now.getModificationTime != before.getModificationTime)
      throw changed(s"was rewritten while it was loaded (${describe(before)}, then ${describe(now)})")
  }

  /** The error for a source that has changed since `before`; None if it has not, or if it cannot be examined now. */
  def changeSince(before: FileStatus): Option[AndironException] =
    try {
      requireUnchanged(before)
      None
    } catch {
      case e: AndironException => Some(e).filter(e => e.code == ErrorCode.SourceChanged || e.getCause.isInstanceOf[FileNotFoundException])
    }

  /** Fails if the source was modified after the catalog was made; `modified` is -1 if unknown. */
  def requireModified(status: FileStatus, modified: Long): Unit =
    if (modified >= 0 && status.getModificationTime != modified)
      throw changed(s"was rewritten after the catalog was made (then modified at $modified, now ${describe(status)})")

  private def changed(what: String): AndironException =
    AndironException.of(ErrorCode.SourceChanged, s"$label $what: a version must not change; write a new one under a new name", null)

  private def describe(status: FileStatus): String = s"${status.getLen} bytes modified at ${status.getModificationTime}"

  /** Advice for a source that is a file name with a colon, which Hadoop parses as the end of a scheme. */
  private def aboutColon: String = {
    val colon = source.indexOf(':')
    val mayBeName = colon > 0 && !source.startsWith("//", colon + 1) &&
      (!source.startsWith("/", colon + 1) || !HadoopSource.isKnown(source.take(colon), settings))
    if (mayBeName) s". The part before its first colon is read as a scheme: write the local file as file:/<absolute path>/$source, or as ./$source" else ""
  }

  private def missing(cause: Throwable): AndironException =
    AndironException.of(ErrorCode.SourceMissing, s"$label does not exist or cannot be opened on this machine: ${cause.getMessage}$decoded", cause)

  /**
   * Advice for a source that is a URI with escaped characters, as `File.toURI`, `inputFiles` and `input_file_name`
   * return: Hadoop does not decode them.
   */
  private def decoded: String =
    try {
      val meant = new Path(new URI(path.toString))
      if (meant != path && fileSystem.exists(meant))
        s". $meant is there: the source is a URI whose characters are escaped, and Hadoop's paths are not; name that path, or decode the URI " +
          "(Version.of with a java.net.URI, urllib.parse.unquote in Python)"
      else ""
    } catch { case NonFatal(_) => "" }

  private def attempt[T](action: => T): T =
    try action
    catch {
      case e: FileNotFoundException => throw missing(e)
      case e: IllegalArgumentException =>
        throw AndironException.of(ErrorCode.SourceMissing, s"$label is not a Hadoop path: ${e.getMessage}$aboutColon", e)
      case e: IOException =>
        if (fileSystem != null) FileSystems.failed(fileSystem, e)
        throw AndironException.of(ErrorCode.SourceMissing, s"$label cannot be read: $e$aboutColon", e)
    }
}

private[andiron] object HadoopSource {

  /** Whether Hadoop has a file system for this scheme. */
  private def isKnown(scheme: String, settings: HadoopSettings): Boolean =
    try FileSystem.getFileSystemClass(scheme, settings.configuration) != null
    catch { case _: IOException => false }
}
