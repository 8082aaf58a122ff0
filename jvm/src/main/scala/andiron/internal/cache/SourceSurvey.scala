package andiron.internal.cache

import java.nio.charset.StandardCharsets.UTF_8
import java.security.MessageDigest
import java.util.concurrent.{Callable, ExecutionException, Executors}

import andiron.{AndironException, BytesLoader, CustomLoader, ErrorCode, FilesLoader, Loader, Version}

/** On the driver: checks the user's declarations of a catalog's versions, and looks up missing facts. */
private[andiron] final class SourceSurvey(id: CatalogId, loader: Loader[_], hadoop: HadoopSettings, encrypted: Boolean) {

  /** The checked and completed versions, in the order of their names' UTF-8 bytes. */
  def survey(versions: Seq[Version]): Array[VersionSpec] = {
    checkNames(versions)
    if (encrypted && loader.keepsFiles)
      throw AndironException.of(ErrorCode.EncryptionRefused,
        s"dataset '${id.dataset}' keeps its versions in local files, as they are, which is refused while spark.io.encryption.enabled is set: whoever " +
          "maps a file needs it unencrypted. Use Loader.objects, or turn the encryption of local files off", null)
    versions.foreach(check)
    val ordered = versions.sortBy(_.name)(SourceSurvey.binaryOrder)
    inParallel(ordered)(specify).toArray
  }

  private def checkNames(versions: Seq[Version]): Unit = {
    if (id.dataset == null || id.dataset.isEmpty) throw bad("a dataset needs a name")
    requireText(id.dataset, "the name of a dataset")
    if (versions.isEmpty) throw bad(s"dataset '${id.dataset}' has no versions")
    versions.foreach { version =>
      if (version == null || version.name == null || version.name.isEmpty) throw bad(s"dataset '${id.dataset}' has a version without a name")
      if (version.source == null || version.source.isEmpty) throw bad(s"version '${version.name}' of dataset '${id.dataset}' has no source")
      requireText(version.name, s"the name of a version of dataset '${id.dataset}'")
      requireText(version.source, s"the source of version '${version.name}' of dataset '${id.dataset}'")
    }
    versions.groupBy(_.name).collectFirst { case (name, several) if several.size > 1 => name }.foreach { name =>
      throw bad(s"dataset '${id.dataset}' has version '$name' more than once")
    }
  }

  /** UTF-8 encodes an unpaired surrogate as `?`, which would make different texts equal. */
  private def requireText(text: String, what: String): Unit =
    if (!UTF_8.newEncoder.canEncode(text))
      throw bad(s"$what contains unpaired surrogates, which are not characters: it was decoded with the wrong encoding ('${new String(text.getBytes(UTF_8), UTF_8)}')")

  private def check(version: Version): Unit = {
    version.bytes.filter(_ < 0).foreach(n => throw bad(s"${label(version, version.source)} declares $n bytes"))
    loader match {
      case BytesLoader                         =>
      case FilesLoader if !version.immutable   =>
      case _ if version.immutable =>
        throw bad(s"${label(version, version.source)} is declared immutable, which is for Loader.bytes: leave it out")
      case _: CustomLoader[_] if version.checksum.isDefined =>
        throw bad(s"${label(version, version.source)} declares a checksum, which a custom loader must verify itself: leave it out")
      case _ => version.checksum.foreach(sum => StreamChecksum.check(sum, label(version, version.source)))
    }
  }

  private def specify(version: Version): VersionSpec = loader match {
    case _: CustomLoader[_] => spec(version, version.source, version.bytes.getOrElse(-1L), -1L)
    case FilesLoader =>
      val source = new HadoopSource(version.source, label(version, version.source), hadoop)
      val files = source.files()
      version.bytes.foreach(source.requireLength(files.bytes, _))
      val declared = version.bytes.isDefined && version.checksum.isDefined
      spec(version, source.uri, files.bytes, if (declared) -1L else files.fingerprint, files.form)
    case _ =>
      val source = new HadoopSource(version.source, label(version, version.source), hadoop)
      if (version.bytes.isDefined && version.checksum.isDefined) spec(version, source.uri, version.bytes.get, -1L)
      else {
        val status = source.status()
        if (loader == BytesLoader) version.bytes.foreach(source.requireLength(status, _))
        spec(version, source.uri, version.bytes.getOrElse(status.getLen), status.getModificationTime)
      }
  }

  private def spec(version: Version, uri: String, bytes: Long, modified: Long, form: String = ""): VersionSpec = {
    // An object also depends on its loader's state, so only this catalog's tasks may share it.
    val scope = if (loader.keepsFiles) "bytes" else s"${loader.getClass.getName} ${id.uuid}"
    // One name may mean different files under different settings, such as another endpoint; a checksum identifies the
    // content.
    val content = version.checksum.getOrElse(s"modified $modified with ${hadoop.fingerprint}")
    // The user's own file and a copy of it have different digests: only catalogs that opted in may read the file in
    // place.
    val place = if (version.immutable) "in place" else "copied"
    val digest = form + SourceSurvey.sha256(Seq(uri, bytes.toString, content, scope, place))
    VersionSpec(version.copy(source = uri), digest, bytes, modified, label(version, uri))
  }

  private def label(version: Version, source: String): String = s"version '${version.name}' of dataset '${id.dataset}' from $source"

  private def bad(message: String): AndironException = AndironException.of(ErrorCode.BadArgument, message, null)

  /**
   * Applies `f` to every version, up to 16 at a time: looking up a source in an object store takes tens of
   * milliseconds.
   */
  private def inParallel(versions: Seq[Version])(f: Version => VersionSpec): Seq[VersionSpec] =
    if (versions.size <= 4) versions.map(f)
    else {
      val pool = Executors.newFixedThreadPool(math.min(16, versions.size))
      try {
        val pending = versions.map(version => pool.submit(new Callable[VersionSpec] { override def call(): VersionSpec = f(version) }))
        try pending.map(_.get())
        catch { case e: ExecutionException => throw e.getCause }
      } finally pool.shutdownNow()
    }
}

private[andiron] object SourceSurvey {

  /** The order of unsigned UTF-8 bytes, which is Spark's string order. */
  val binaryOrder: Ordering[String] = new Ordering[String] {
    override def compare(a: String, b: String): Int = java.util.Arrays.compareUnsigned(a.getBytes(UTF_8), b.getBytes(UTF_8))
  }

  /** The first half of the SHA-256 of the parts, in hexadecimal. */
  def sha256(parts: Seq[String]): String = {
    val digest = MessageDigest.getInstance("SHA-256")
    parts.foreach { part =>
      digest.update(part.getBytes(UTF_8))
      digest.update(0: Byte)
    }
    digest.digest().take(16).map(b => f"$b%02x").mkString
  }
}
