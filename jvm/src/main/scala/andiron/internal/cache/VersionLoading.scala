package andiron.internal.cache

import scala.util.control.NonFatal

import org.apache.hadoop.fs.FileStatus
import org.slf4j.LoggerFactory

import andiron.{AndironException, CustomLoader, ErrorCode, ObjectLoader, StoreException, StreamLoader}
import andiron.internal.boundary.Native
import andiron.internal.util.UserError

/** Runs one load from the library on the calling loader thread, and always finishes it. */
private[andiron] final class VersionLoading[V](load: Long, catalog: OpenCatalog[V], spec: VersionSpec) {
  private def source = new HadoopSource(spec.version.source, spec.label, catalog.spec.hadoop)

  /** Never throws: the waiting tasks receive the loader's error, including fatal errors, with its class and stack. */
  def run(): Unit =
    try LoadingSettings.during(catalog.spec.hadoop.configuration)(catalog.spec.loader match {
      case loader: StreamLoader[V] =>
        makeWay()
        fromStream(loader)
      case loader: CustomLoader[V] =>
        makeWay()
        publish(loader.load(spec.version), loader)
      case _ if catalog.isFiles => files()
      case _                    => bytes()
    }) catch {
      case t: Throwable =>
        UserError.presentable(t) match {
          case e: AndironException => fail(String.valueOf(e.getMessage), e)
          case e                   => fail(s"${spec.label} could not be loaded: $e", e)
        }
    }

  /** Whether the calling user, with the catalog's settings, can see the source as the catalog declares it. */
  def reaches(): Boolean =
    try {
      if (catalog.isFiles) listed(source): Unit else checked(source): Unit
      true
    } catch { case NonFatal(_) => false }

  private def bytes(): Unit = {
    val checksum = spec.version.checksum.getOrElse("")
    if (spec.version.immutable) {
      val from = source
      val path = from.requireLocalPath()
      checked(from)
      Native.mapInPlace(load, path, checksum)
    } else {
      if (begin(checksum, VersionLoading.DiskRetries)) copy(source)
      Native.storePublish(load)
    }
  }

  /** Lists the source's files; fails if they differ from the catalog's declaration. */
  private def listed(from: HadoopSource): SourceFiles = {
    val files = from.files()
    from.requireDeclared(files, spec.digest.take(spec.digest.indexOf('-') + 1), spec.bytes, spec.modified)
    files
  }

  /**
   * Stores each file of the source under its name. Fails if the listing has changed by the time the last file is read.
   */
  private def files(): Unit = {
    if (begin(spec.version.checksum.getOrElse(""), VersionLoading.DiskRetries)) {
      val from = source
      val before = listed(from)
      try before.entries.foreach { entry =>
        Native.storeEntry(load, entry.name, entry.length)
        append(new HadoopSource(entry.uri, s"${spec.label} (its file ${entry.name})", catalog.spec.hadoop))
      } catch {
        case NonFatal(e) if !e.isInstanceOf[AndironException] =>
          from.requireUnchanged(before)
          throw e
      }
      from.requireUnchanged(before)
    }
    Native.storePublish(load)
  }

  /**
   * As `Native.storeBegin`. A file occupies disk space until its last view is unreachable: without space, a garbage
   * collection finds unreachable views, as Java does when direct buffers run out.
   */
  private def begin(checksum: String, retries: Int): Boolean =
    try Native.storeBegin(load, checksum)
    catch {
      case e: StoreException if e.code == ErrorCode.DiskLimit && retries > 0 =>
        if (retries == VersionLoading.DiskRetries) System.gc()
        Thread.sleep(VersionLoading.DiskRetryMillis)
        begin(checksum, retries - 1)
    }

  private def copy(from: HadoopSource): Unit = {
    val before = checked(from)
    whole(from, before)(append(from))
  }

  private def append(from: HadoopSource): Unit = from.localPath match {
    case Some(path) => Native.storeCopy(load, path)
    case None =>
      val chunks = new ReadAhead(from.open(), VersionLoading.ChunkBytes)
      try Iterator.continually(chunks.next()).takeWhile(_.isDefined).flatten.foreach(chunk => Native.storeWrite(load, chunk.bytes, chunk.length))
      finally chunks.close()
  }

  /**
   * Result of reading the source as of `before`. If reading fails and the source has changed, the error is the change,
   * caused by the read error.
   */
  private def whole[A](from: HadoopSource, before: FileStatus)(read: => A): A = {
    val result =
      try read
      catch {
        case NonFatal(e) if !e.isInstanceOf[AndironException] =>
          throw from.changeSince(before).fold(e)(changed => AndironException.of(changed.code, changed.getMessage, e))
      }
    from.requireUnchanged(before)
    result
  }

  private def fromStream(loader: StreamLoader[V]): Unit = {
    val from = source
    val before = checked(from)
    val value = whole(from, before) {
      val in = from.open()
      try spec.version.checksum match {
        case None => loader.load(spec.version, in)
        case Some(declared) =>
          val summed = StreamChecksum(in, declared)
          val value = loader.load(spec.version, summed)
          summed.verify(declared, spec.label)
          value
      } finally in.close()
    }
    publish(value, loader)
  }

  /** The source's status; fails if it differs from the catalog's declaration. */
  private def checked(from: HadoopSource) = {
    val status = from.status()
    if (catalog.isBytes && spec.bytes >= 0) from.requireLength(status, spec.bytes)
    from.requireModified(status, spec.modified)
    status
  }

  private def makeWay(): Unit = OwnedValue.makeWay(catalog.handleOf(spec.version.name), spec.version.source)

  private def publish(value: V, loader: ObjectLoader[V]): Unit = value match {
    case reference: AnyRef =>
      loader.closing(value) match {
        case None => Native.loadObject(load, reference, sizeOf(value, loader), tells = false)
        case Some(close) =>
          val owned = new OwnedValue(reference, catalog.handleOf(spec.version.name), spec.version.source, catalog, close)
          try Native.loadObject(load, owned, sizeOf(value, loader), tells = true)
          catch {
            case t: Throwable =>
              owned.run()
              throw t
          }
      }
    case _ =>
      throw AndironException.of(ErrorCode.LoadFailed, s"${spec.label} could not be loaded: the loader returned null", null)
  }

  private def sizeOf(value: V, loader: ObjectLoader[V]): Long = {
    val bytes = loader.size(value)
    if (bytes < 0) throw AndironErrors.bad(s"the loader reports a size of $bytes bytes for ${spec.label}")
    bytes
  }

  private def fail(message: String, cause: Throwable): Unit =
    try Native.loadFailed(load, message, cause)
    catch {
      case NonFatal(e) =>
        e.addSuppressed(cause)
        VersionLoading.log.error(s"the failure of a load could not be reported: $message", e)
    }
}

private[andiron] object VersionLoading {
  private val log = LoggerFactory.getLogger(classOf[VersionLoading[_]])

  def of[V](load: Long, catalog: OpenCatalog[V], spec: VersionSpec): VersionLoading[V] = new VersionLoading(load, catalog, spec)

  private val ChunkBytes = 1 << 20
  private val DiskRetries = 10
  private val DiskRetryMillis = 50L
}
