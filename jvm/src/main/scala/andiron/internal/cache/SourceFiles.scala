package andiron.internal.cache

/**
 * What a source for `Loader.files` has, as it was when it was listed: itself if it is a file, else the files below it in the order of their names.
 * Two listings are equal unless something has changed.
 */
private[andiron] final case class SourceFiles(isDirectory: Boolean, entries: Seq[SourceFiles.Entry]) {

  /** Bytes of all files. */
  def bytes: Long = entries.map(_.length).sum

  /** A number of at least 0 that differs, but for chance, from that of any other listing. */
  def fingerprint: Long =
    java.lang.Long.parseUnsignedLong(SourceSurvey.sha256(entries.flatMap(e => Seq(e.name, e.length.toString, e.modified.toString))).take(16), 16) & Long.MaxValue

  /** Begins the digest of such a version; the library keeps files by their names where it stands. */
  def form: String = if (isDirectory) SourceFiles.Directory else SourceFiles.File
}

private[andiron] object SourceFiles {
  val Directory = "files-"
  val File = "file-"

  /** More files, or directories nested deeper, are refused: links may lead in a circle, which Linux follows 40 times. */
  val Most = 100000
  val Deepest = 32

  /** @param name the path below the source, with slashes; of a file that is the source, its name */
  final case class Entry(name: String, uri: String, length: Long, modified: Long)
}
