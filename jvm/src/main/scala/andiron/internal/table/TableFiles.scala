package andiron.internal.table

import java.io.{FileNotFoundException, IOException, OutputStream}
import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.{FileAlreadyExistsException, Files}
import java.util.UUID

import org.apache.hadoop.fs.{FileSystem, LocalFileSystem, Path, RawLocalFileSystem}

import andiron.{AndironException, ErrorCode}
import andiron.internal.cache.{FileSystems, HadoopSettings}

/**
 * The files of a table through Hadoop: documents, which appear whole under their names or not at all, and segments.
 * Local files are written without Hadoop's checksum files, since documents and manifests have checksums of their own.
 */
private[andiron] final class TableFiles(source: String, settings: HadoopSettings) {
  private val (system: FileSystem, root: Path) = attempt("cannot be opened") {
    val named = new Path(source)
    val system = FileSystems.of(named, settings) match {
      case local: LocalFileSystem => local.getRawFileSystem
      case other                  => other
    }
    (system, system.makeQualified(named))
  }

  /** The table's path with its scheme. */
  val uri: String = root.toString

  /** The description's text; None if there is no table. */
  def description(): Option[String] = read(descriptionPath)

  /** The ordinals of all versions, ascending. */
  def ordinals(): Seq[Long] = attempt("has versions that cannot be listed") {
    try system.listStatus(versions).toSeq.map(_.getPath.getName).filter(_.matches("[0-9]{20}")).map(_.toLong).sorted
    catch { case _: FileNotFoundException => Nil }
  }

  def manifest(ordinal: Long): String = read(manifestPath(ordinal)).getOrElse(
    throw AndironException.of(ErrorCode.SourceMissing, s"table $uri: the manifest ${manifestPath(ordinal)} has gone; read the table again", null))

  /** Writes the description; false if there is one. */
  def createDescription(text: String): Boolean = create(descriptionPath, text)

  /** Writes the manifest of a version, which publishes it; false if the version exists. */
  def createManifest(ordinal: Long, text: String): Boolean = create(manifestPath(ordinal), text)

  /** The URI of a segment. */
  def segment(name: String): String = segmentPath(name).toString

  /** Begins a segment. Its name must be new. */
  def write(name: String): OutputStream = attempt(s"has a segment $name that cannot be written")(system.create(segmentPath(name), false))

  /** Removes a segment that no manifest names; whether it is gone is of no concern. */
  def remove(name: String): Unit =
    try system.delete(segmentPath(name), false): Unit
    catch { case _: IOException => () }

  private def descriptionPath = new Path(root, "_andiron/table")
  private def versions = new Path(root, "_andiron/v")
  private def manifestPath(ordinal: Long) = new Path(versions, f"$ordinal%020d")
  private def segmentPath(name: String) = new Path(root, s"data/$name")

  private def read(path: Path): Option[String] = attempt(s"has a file $path that cannot be read") {
    try {
      val in = system.open(path)
      try Some(new String(in.readAllBytes(), UTF_8))
      finally in.close()
    } catch { case _: FileNotFoundException => None }
  }

  /** Writes under another name first. A rename refuses a name that exists, as a link does in a local file system. */
  private def create(path: Path, text: String): Boolean = attempt(s"has a file $path that cannot be written") {
    val temporary = new Path(root, s"_andiron/tmp/${UUID.randomUUID()}")
    val out = system.create(temporary, false)
    try out.write(text.getBytes(UTF_8))
    finally out.close()
    try {
      system.mkdirs(path.getParent): Unit
      system match {
        case local: RawLocalFileSystem =>
          try {
            Files.createLink(local.pathToFile(path).toPath, local.pathToFile(temporary).toPath): Unit
            true
          } catch { case _: FileAlreadyExistsException => false }
        // Object stores may rename over a file that another publisher has just written: then the text differs.
        case _ => !system.exists(path) && system.rename(temporary, path) && read(path).contains(text)
      }
    } finally system.delete(temporary, false): Unit
  }

  private def attempt[A](what: String)(action: => A): A =
    try action
    catch {
      case e: IllegalArgumentException =>
        throw AndironException.of(ErrorCode.BadArgument, s"table $source: the name is not a Hadoop path: ${e.getMessage}", e)
      case e: IOException =>
        if (system != null) FileSystems.failed(system, e)
        throw AndironException.of(ErrorCode.Io, s"table $source $what: $e", e)
    }
}
