package andiron

import java.io.InputStream

import org.apache.spark.util.SizeEstimator

/**
 * How a version becomes a value that tasks share. Serialised to the executors with the catalog; runs on Andiron's loader threads,
 * once per executor and residency, with the class loader and the user of the job that asked first.
 */
sealed trait Loader[V] extends Serializable {

  /** The class loader that the values' classes come from. */
  private[andiron] def scope: ClassLoader
}

object Loader {

  /** The source's bytes as they are, off the heap. */
  def bytes: Loader[Bytes] = BytesLoader

  /**
   * An object made from the source's bytes, shared by all tasks of the executor: it must be safe to read from several threads.
   *
   * @param load reads the stream, which is closed for it
   * @param size the object's size on the heap in bytes, which counts against the budget; by default Spark's estimate
   */
  def objects[V](load: (Version, InputStream) => V, size: V => Long = estimate[V](_: V)): Loader[V] =
    new StreamLoader[V](load, size)

  /** The same for an object that does not come from a Hadoop source. A version that does not declare its bytes reserves none until it is loaded. */
  def custom[V](load: Version => V)(size: V => Long): Loader[V] = new CustomLoader[V](load, size)

  /** The heap that `value` and everything it refers to take, as Spark estimates it. */
  def estimate[V](value: V): Long = value match {
    case reference: AnyRef => SizeEstimator.estimate(reference)
    case _                 => 16L
  }
}

private[andiron] case object BytesLoader extends Loader[Bytes] {
  override def scope: ClassLoader = getClass.getClassLoader
}

private[andiron] final class StreamLoader[V](val load: (Version, InputStream) => V, val size: V => Long) extends Loader[V] {
  override def scope: ClassLoader = load.getClass.getClassLoader
}

private[andiron] final class CustomLoader[V](val load: Version => V, val size: V => Long) extends Loader[V] {
  override def scope: ClassLoader = load.getClass.getClassLoader
}
