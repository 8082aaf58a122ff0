package andiron.internal.cache

import java.util.concurrent.atomic.AtomicLong

import org.apache.hadoop.security.UserGroupInformation

import andiron.{AndironException, BytesLoader, ErrorCode, FilesLoader}
import andiron.internal.boundary.Native

/**
 * A catalog in this process: the handles of its versions, and the class loader and user of the first job that used it,
 * under which its versions are loaded.
 */
private[andiron] final class OpenCatalog[V](val spec: CatalogSpec[V], loaderScope: Long) {
  val classLoader: ClassLoader = Thread.currentThread().getContextClassLoader
  val user: UserGroupInformation = UserGroupInformation.getCurrentUser
  val isBytes: Boolean = spec.loader == BytesLoader

  /** Whether values are paths of files. */
  val isFiles: Boolean = spec.loader == FilesLoader

  private val demandEpoch = new AtomicLong

  @volatile private var open = true

  /** False once closed in this process. */
  def isOpen: Boolean = open

  def close(): Unit = {
    open = false
    Native.closeCatalog(handle)
  }

  /** The native catalog. Bytes and files contain no classes, so all class loaders share them. */
  val handle: Long =
    if (spec.loader.keepsFiles) Native.openCatalog(spec.id.application, spec.id.dataset, 0, 0)
    else Native.openCatalog(spec.id.application, spec.id.dataset, 1, loaderScope)

  private val handles = new java.util.HashMap[String, java.lang.Long](spec.versions.length * 2)

  /** Each version with its handle. */
  val versions: Array[(Long, VersionSpec)] =
    try spec.versions.map { version =>
      val versionHandle = Native.addVersion(handle, version.version.name, version.digest, version.bytes, version.version.source)
      handles.put(version.version.name, versionHandle)
      (versionHandle, version)
    } catch {
      case t: Throwable =>
        close()
        throw t
    }

  def contains(version: String): Boolean = handles.containsKey(version)

  /** Text for the versions with these handles in messages. */
  def describe(handles: Array[Long]): String =
    if (handles.isEmpty) s"a cursor of dataset '${spec.id.dataset}'"
    else handles.toSeq.flatMap(handle => versions.find(_._1 == handle)).map(_._2.label).mkString(", ")

  /** The handle of the version `name`; throws an UnknownVersionException if there is none. */
  def handleOf(name: String): Long = {
    val found = handles.get(name)
    if (found == null) throw unknown(name)
    found
  }

  private def unknown(name: String): AndironException = {
    val names = spec.versions.map(_.version.name)
    val known = (if (names.length <= 8) names else names.take(4) ++ Array("...") ++ names.takeRight(3)).mkString(", ")
    val advice = "Add it to the catalog, correct the rows, or let mapWithVersion drop such rows with catalog.missing(Missing.Skip)"
    if (name == null)
      AndironException.of(ErrorCode.NullVersion, s"a row names no version of dataset '${spec.id.dataset}' (null). $advice", null)
    else
      AndironException.of(ErrorCode.UnknownVersion,
        s"dataset '${spec.id.dataset}' has no version '$name'; it has ${names.length}: $known. $advice", null)
  }

  /** Passes the driver's demand hint to the library if it is newer than the last one. */
  def expect(hint: DemandHint): Unit = {
    val known = demandEpoch.get
    if (hint.epoch > known && demandEpoch.compareAndSet(known, hint.epoch))
      versions.foreach { case (version, spec) => Native.setDemand(version, hint.tasks.getOrElse(spec.version.name, 0L)) }
  }
}
