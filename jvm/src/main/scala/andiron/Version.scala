package andiron

/**
 * One immutable snapshot of a dataset.
 *
 * @param name the version's name in rows; unique in its catalog, not empty
 * @param source a path or URI as Hadoop reads it, in which `%20` does not mean a space, or any text that a custom
 *   loader understands
 * @param bytes the size to reserve before loading: with Loader.bytes the source's size, which is verified; with other
 *   loaders the object's size. None: the file's size is looked up when the catalog is made
 * @param checksum `xxh3:<hex>`, `crc32:<hex>` or `sha256:<hex>` of the source's bytes, verified during loading
 * @param immutable the source is a local file that will never be truncated or rewritten: its bytes are mapped in place,
 *   without a copy. Breaking this promise can crash the executor.
 */
final case class Version(
    name: String,
    source: String,
    bytes: Option[Long] = None,
    checksum: Option[String] = None,
    immutable: Boolean = false) {

  /** A copy with its size declared. */
  def withBytes(size: Long): Version = copy(bytes = Some(size))

  /** A copy with its checksum declared. */
  def withChecksum(sum: String): Version = copy(checksum = Some(sum))

  /** A copy that promises that the local source never changes. */
  def inPlace: Version = copy(immutable = true)
}

object Version {

  /** For Java: a version without further declarations. */
  def of(name: String, source: String): Version = Version(name, source)

  /** A version of a local file; its name may contain any characters. */
  def of(name: String, source: java.nio.file.Path): Version = Version(name, s"file://${source.toAbsolutePath}")

  /**
   * A version of a URI such as `File.toURI` returns, with its escaped characters decoded. Passed as a text, Hadoop
   * would not decode them.
   */
  def of(name: String, source: java.net.URI): Version = Version(name, new org.apache.hadoop.fs.Path(source).toString)
}
