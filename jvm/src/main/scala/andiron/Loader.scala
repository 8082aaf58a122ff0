package andiron

import java.io.InputStream
import java.nio.file.Path

import org.apache.hadoop.conf.Configuration
import org.apache.spark.util.SizeEstimator

import andiron.internal.cache.{AndironErrors, LoadingSettings}

/**
 * How a version becomes a value that tasks share. Serialised to the executors with the catalog; runs on Andiron's loader threads,
 * once per executor and residency, with the class loader and the user of the job that asked first.
 */
sealed trait Loader[V] extends Serializable {

  /** The class loader that the values' classes come from. */
  private[andiron] def scope: ClassLoader

  /** Whether values are files of this process's, which all class loaders share. */
  private[andiron] def keepsFiles: Boolean = false
}

/**
 * A loader of JVM objects. Those that are `AutoCloseable` are closed: once each, by identity, on a loader thread, with the class loader and the user of the load,
 * soon after they have left memory, which they do after their last lease; also those that no task got to see. Before a version is loaded again, what was loaded before
 * is closed. All are closed when their catalog is, and when the executor ends in order.
 *
 * A thread that goes on with an object after its lease meets a closed one. What a native library does then is its own affair: it may crash the executor.
 */
sealed abstract class ObjectLoader[V] extends Loader[V] {
  private[andiron] def size: V => Long

  private[andiron] def release: Option[V => Unit]

  /** The same loader, whose objects are closed by `release` in place of their own `close`. One that does nothing keeps them open. */
  def apply(release: V => Unit): ObjectLoader[V]

  /** How `value` is closed; None if it need not be. */
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

  /** The source's bytes as they are, off the heap. */
  def bytes: Loader[Bytes] = BytesLoader

  /**
   * The source's files by their names, for libraries that open a file or a directory themselves: Lucene, SQLite, LMDB, RocksDB, MaxMind. A source
   * that is a file becomes the path of a file with its name, one that is a directory the path of a directory with all of its files. They are
   * read-only, and stay while they are leased: do not use the path beyond that. docs/guide/side-data.md says how libraries open what they cannot write.
   */
  def files: Loader[Path] = FilesLoader

  /**
   * The Hadoop settings of the application, for loaders that open sources of their own. A copy for the caller; within a loader, on the thread
   * that it was called on, else a SettingException.
   */
  def hadoopSettings: Configuration = LoadingSettings.current.getOrElse(
    throw AndironErrors.bad("Loader.hadoopSettings was called outside a loader: call it within the function, on the thread that it was called on"))

  /**
   * An object made from the source's bytes, shared by all tasks of the executor: it must be safe to read from several threads.
   *
   * @param load reads the stream, which is closed for it
   * @param size the object's size on the heap in bytes, which counts against the budget; by default Spark's estimate
   */
  def objects[V](load: (Version, InputStream) => V, size: V => Long = estimate[V](_: V)): ObjectLoader[V] =
    new StreamLoader[V](load, size, None)

  /**
   * The same for an object that does not come from a Hadoop source. A version that does not declare its bytes reserves none until it is loaded.
   * `Loader.custom(open)(size)(release)` says how such an object is closed, see [[ObjectLoader]].
   */
  def custom[V](load: Version => V)(size: V => Long): ObjectLoader[V] = new CustomLoader[V](load, size, None)

  /** The heap that `value` and everything it refers to take, as Spark estimates it. */
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
