package andiron.internal.table

import andiron.{AndironException, ErrorCode}
import andiron.internal.boundary.{NativeLibrary, NativeTable}

/** A version by its name and place; `base` is the ordinal of its line's base, `schema` the id of its rows' schema. */
private[andiron] final case class ListedVersion(name: String, ordinal: Long, base: Long, schema: Int, validFrom: Option[Long])

/**
 * A table's files at one moment. Of each line it has the newest manifest only, since that names all files of the line: all
 * manifests together grow with the square of the number of versions.
 *
 * @param versions by ordinal
 * @param lines by base; empty if there is no version
 */
private[andiron] final class TableState private (val description: Option[TableDescription], val versions: IndexedSeq[ListedVersion], val lines: IndexedSeq[TableManifest]) {
  def newest: Option[TableManifest] = lines.lastOption

  private def and(manifest: TableManifest, uri: String): TableState = {
    // A manifest that another publisher has replaced since would show the rows of another version under its name.
    val follows = newest.filter(_.base == manifest.base) match {
      case Some(before) => manifest.files.startsWith(before.files) && manifest.files.drop(before.files.size).forall(_.ordinal == manifest.ordinal)
      case None         => manifest.base == manifest.ordinal
    }
    if (!follows)
      throw AndironException.of(ErrorCode.TableDamaged,
        s"table $uri: version '${manifest.version}' (${manifest.ordinal}) was not published after the version before it: that one's manifest was replaced; " +
          "remove the manifests from there on, and publish these versions again", null)
    new TableState(
      description, versions :+ ListedVersion(manifest.version, manifest.ordinal, manifest.base, manifest.schema.id, manifest.validFrom),
      (if (newest.exists(_.base == manifest.base)) lines.init else lines) :+ manifest)
  }
}

private[andiron] object TableState {
  val empty: TableState = new TableState(None, Vector.empty, Vector.empty)

  /** Reads what `known`, an earlier state of the same files, has not; `known` itself if that is nothing. */
  def read(files: TableFiles, known: TableState): TableState = {
    NativeLibrary.load()
    files.description() match {
      case None => empty
      case Some(text) =>
        val isSame = known.description.exists(_.text == text)
        // Another description is another table: the directory was removed, and made again.
        val before = if (isSame) known else empty
        val description =
          if (isSame) known.description.get
          else {
            NativeTable.checkDescription(text, files.uri)
            new TableDescription(text)
          }
        val last = before.versions.lastOption.fold(-1L)(_.ordinal)
        val fresh = files.ordinals().filter(_ > last)
        if (isSame && fresh.isEmpty) known
        else fresh.foldLeft(new TableState(Some(description), before.versions, before.lines))((state, ordinal) => state.and(read(files, description, ordinal), files.uri))
    }
  }

  private def read(files: TableFiles, description: TableDescription, ordinal: Long): TableManifest = {
    val text = files.manifest(ordinal)
    NativeTable.checkManifest(description.text, text, ordinal, files.uri)
    new TableManifest(text)
  }
}
