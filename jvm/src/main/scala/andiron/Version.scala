package andiron

/**
 * One immutable snapshot of a dataset.
 *
 * @param name what rows call it; unique in its catalog, not empty
 * @param source where it is: a path or URI as Hadoop reads it, in which `%20` is no space, or anything that a custom loader understands
 * @param bytes its size, reserved before it is loaded: with Loader.bytes that of the source, which is verified; with other loaders
 *              that of the object. None: the size of the file is looked up when the catalog is made
 * @param checksum `xxh3:<hex>`, `crc32:<hex>` or `sha256:<hex>` of the source's bytes, verified while it is loaded
 * @param immutable the source is a local file that nobody will ever truncate or rewrite: bytes are then mapped where they are,
 *                  without a copy. Breaking that promise can crash the executor.
 */
final case class Version(
    name: String,
    source: String,
    bytes: Option[Long] = None,
    checksum: Option[String] = None,
    immutable: Boolean = false) {

  /** The same with its size declared. */
  def withBytes(size: Long): Version = copy(bytes = Some(size))

  /** The same with its checksum declared. */
  def withChecksum(sum: String): Version = copy(checksum = Some(sum))

  /** The same, promising that the local source never changes. */
  def inPlace: Version = copy(immutable = true)
}

object Version {

  /** For Java: a version with nothing declared. */
  def of(name: String, source: String): Version = Version(name, source)

  /** A version of a local file, whatever characters its name has. */
  def of(name: String, source: java.nio.file.Path): Version = Version(name, s"file://${source.toAbsolutePath}")

  /** A version of what a URI names, as `File.toURI`, with its escaped characters decoded. As a text Hadoop would take them as they are. */
  def of(name: String, source: java.net.URI): Version = Version(name, new org.apache.hadoop.fs.Path(source).toString)
}
