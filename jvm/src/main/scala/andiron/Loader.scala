package andiron

import java.io.InputStream
import java.nio.file.Path

import org.apache.hadoop.conf.Configuration
import org.apache.spark.util.SizeEstimator

import andiron.internal.cache.{AndironErrors, LoadingSettings}

/**
 * Turns a version into a value that tasks share. Serialized to the executors with the catalog; runs on Andiron's loader
 * threads, once per executor and residency, with the class loader and the user of the first job that requested the
 * version.
 */
sealed trait Loader[V] extends Serializable {

  /** The class loader of the values' classes. */
  private[andiron] def scope: ClassLoader

  /** Whether values are local files of this process, which all class loaders share. */
  private[andiron] def keepsFiles: Boolean = false
}

/**
 * A loader of JVM objects. An `AutoCloseable` object is closed once, by identity, on a loader thread, with the class
 * loader and user of the load, soon after its eviction, which follows its last lease; the same holds for objects that
 * no task has received. Before a version is loaded again, its earlier object is closed. Closing the catalog, and a
 * regular end of the executor, close all objects.
 *
 * Code that uses an object after its lease may find it closed. In a native library that may crash the executor.
 */
sealed abstract class ObjectLoader[V] extends Loader[V] {
  private[andiron] def size: V => Long

  private[andiron] def release: Option[V => Unit]

  /**
   * The same loader, with `release` in place of the objects' own `close`. A `release` without effect keeps them open.
   */
  def apply(release: V => Unit): ObjectLoader[V]

  /** The action that closes `value`; None if it needs no closing. */
  private[andiron] final def closing(value: V): Option[() => Unit] = release match {
    case Some(own) => Some(() => own(value))
    case None =>
      value match {
        case closeable: AutoCloseable => Some(() => closeable.close())
        case _                        => None
      }
  }
}

object Loader {

  /** The source's bytes, unchanged, off the heap. */
  def bytes: Loader[Bytes] = BytesLoader

  /**
   * The source's files under their names, for libraries that open a file or a directory themselves: Lucene, SQLite,
   * LMDB, RocksDB, MaxMind. For a source that is a file, the value is the path of a file with the same name; for a
   * directory, the path of a directory with all its files. The files are read-only and exist during the lease: do not
   * use the path beyond it. docs/guide/side-data.md describes how to open libraries on read-only files.
   */
  def files: Loader[Path] = FilesLoader

  /**
   * A copy of the application's Hadoop settings, for loaders that open sources themselves. Only within a loader, on its
   * calling thread; elsewhere a SettingException.
   */
  def hadoopSettings: Configuration = LoadingSettings.current.getOrElse(
    throw AndironErrors.bad("Loader.hadoopSettings was called outside a loader: call it within the function, on the thread that it was called on"))

  /**
   * An object made from the source's bytes, shared by all tasks of the executor: several threads read it, so it must be
   * thread-safe for reading.
   *
   * @param load reads the stream, which Andiron closes
   * @param size the object's size on the heap in bytes, charged against the budget; by default Spark's estimate
   */
  def objects[V](load: (Version, InputStream) => V, size: V => Long = estimate[V](_: V)): ObjectLoader[V] =
    new StreamLoader[V](load, size, None)

  /**
   * An object that does not come from a Hadoop source. A version that does not declare its bytes reserves none before
   * it is loaded. `Loader.custom(open)(size)(release)` defines how objects are closed, see [[ObjectLoader]].
   */
  def custom[V](load: Version => V)(size: V => Long): ObjectLoader[V] = new CustomLoader[V](load, size, None)

  /** Spark's estimate of the heap size of `value` and all objects it references, in bytes. */
  def estimate[V](value: V): Long = value match {
    case reference: AnyRef => SizeEstimator.estimate(reference)
    case _                 => 16L
  }
}

private[andiron] case object BytesLoader extends Loader[Bytes] {
  override def scope: ClassLoader = getClass.getClassLoader
  override private[andiron] def keepsFiles = true
}

private[andiron] case object FilesLoader extends Loader[Path] {
  override def scope: ClassLoader = getClass.getClassLoader
  override private[andiron] def keepsFiles = true
}

private[andiron] final class StreamLoader[V](
    val load: (Version, InputStream) => V, override val size: V => Long, override val release: Option[V => Unit])
    extends ObjectLoader[V] {
  override def scope: ClassLoader = load.getClass.getClassLoader
  override def apply(release: V => Unit): ObjectLoader[V] = new StreamLoader[V](load, size, Some(release))
}

private[andiron] final class CustomLoader[V](val load: Version => V, override val size: V => Long, override val release: Option[V => Unit])
    extends ObjectLoader[V] {
  override def scope: ClassLoader = load.getClass.getClassLoader
  override def apply(release: V => Unit): ObjectLoader[V] = new CustomLoader[V](load, size, Some(release))
}
