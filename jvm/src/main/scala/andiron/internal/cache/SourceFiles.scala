package andiron.internal.cache

/**
 * A listing of a source for `Loader.files`: the file itself, or the files below a directory, sorted by name. Two
 * listings are equal unless the files have changed.
 */
private[andiron] final case class SourceFiles(isDirectory: Boolean, entries: Seq[SourceFiles.Entry]) {

  /** Total bytes of all files. */
  def bytes: Long = entries.map(_.length).sum

  /** A non-negative hash of the listing. */
  def fingerprint: Long =
    java.lang.Long.parseUnsignedLong(SourceSurvey.sha256(entries.flatMap(e => Seq(e.name, e.length.toString, e.modified.toString))).take(16), 16) & Long.MaxValue

  /** Prefix of the digest of such a version, by which the library stores files under their names. */
  def form: String = if (isDirectory) SourceFiles.Directory else SourceFiles.File
}

private[andiron] object SourceFiles {
  val Directory = "files-"
  val File = "file-"

  /** Limit on files, and on nested directories: links may form a cycle, which Linux follows 40 times. */
  val Most = 100000
  val Deepest = 32

  /** @param name the path below the source, with slashes; for a source that is a file, its name */
  final case class Entry(name: String, uri: String, length: Long, modified: Long)
}
