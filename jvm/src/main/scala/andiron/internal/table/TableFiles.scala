package andiron.internal.table

import java.io.{FileNotFoundException, IOException, OutputStream}
import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.{FileAlreadyExistsException, Files}
import java.util.UUID

import org.apache.hadoop.fs.{Abortable, FSDataOutputStream, FSDataOutputStreamBuilder, FileSystem, LocalFileSystem, Path, RawLocalFileSystem}

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

  /**
   * Gives a file its text, unless it exists. An error may come after the step that published it, so the file says whether
   * it is this caller's. It then has the text, which names segments that no other publisher has.
   */
  private def create(path: Path, text: String): Boolean = {
    var isThere = false
    val failure =
      try {
        attempt(s"has a file $path that cannot be written") {
          isThere = system.exists(path)
          if (!isThere) { if (TableFiles.hasNoRename(system)) put(path, text) else link(path, text) }
        }
        None
      } catch { case e: AndironException => Some(e) }
    !isThere && (written(path, failure) match {
      case Some(found) => found == text
      case None        => throw failure.getOrElse(AndironException.of(ErrorCode.Io, s"table $source: the file system did not give the file $path its name", null))
    })
  }

  private def written(path: Path, failure: Option[AndironException]): Option[String] =
    try read(path)
    catch {
      case e: AndironException => throw AndironException.of(ErrorCode.Io,
          s"table $source: it is unknown whether $path was written, since it cannot be read: ${e.getMessage}; refresh the table, which shows it", failure.getOrElse(e))
    }

  /** Under another name first: neither a rename nor a link replaces a file, and the file appears whole. */
  private def link(path: Path, text: String): Unit = {
    val temporary = new Path(root, s"_andiron/tmp/${UUID.randomUUID()}")
    try {
      fill(system.create(temporary, false), text)
      system.mkdirs(path.getParent): Unit
      system match {
        case local: RawLocalFileSystem =>
          try Files.createLink(local.pathToFile(path).toPath, local.pathToFile(temporary).toPath): Unit
          catch { case _: FileAlreadyExistsException => () }
        case _ => system.rename(temporary, path): Unit
      }
    } finally system.delete(temporary, false): Unit
  }

  /** A file of an object store appears when it is closed; Hadoop 3.4.2 and later let the store refuse it if there is one. */
  private def put(path: Path, text: String): Unit = {
    val out = conditional(system.createFile(path))
    try out.write(text.getBytes(UTF_8))
    catch {
      // Closed, it would appear with a part of its text.
      case e: IOException =>
        out match {
          case store: Abortable => store.abort(): Unit
          case other            => other.close()
        }
        throw e
    }
    out.close()
  }

  private def conditional[S <: FSDataOutputStream, B <: FSDataOutputStreamBuilder[S, B]](builder: FSDataOutputStreamBuilder[S, B]): OutputStream = {
    builder.overwrite(false): Unit
    builder.recursive(): Unit
    builder.opt("fs.option.create.conditional.overwrite", true): Unit
    builder.build()
  }

  private def fill(out: OutputStream, text: String): Unit =
    try out.write(text.getBytes(UTF_8))
    finally out.close()

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

private[andiron] object TableFiles {

  /** Object stores whose rename copies, so that it neither is one step nor refuses a name that exists. */
  private val stores = Set("s3a", "s3", "s3n", "gs", "oss", "cosn", "obs", "ks3", "tos", "swift", "wasb", "wasbs")

  private def hasNoRename(system: FileSystem): Boolean = stores(String.valueOf(system.getUri.getScheme).toLowerCase(java.util.Locale.ROOT))

  /** The names of the directories of `source` that have tables. */
  def below(source: String, settings: HadoopSettings): Seq[String] = {
    val root = new Path(source)
    val system = FileSystems.of(root, settings)
    try system.listStatus(root).toSeq.filter(_.isDirectory).map(_.getPath).filter(path => system.exists(new Path(path, "_andiron/table"))).map(_.getName).sorted
    catch { case _: FileNotFoundException => Nil }
  }
}
