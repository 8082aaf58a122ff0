package andiron.internal.python

import java.io.{ByteArrayInputStream, ByteArrayOutputStream, ObjectInputStream, ObjectOutputStream, ObjectStreamClass}
import java.util.concurrent.ConcurrentHashMap

import org.apache.spark.api.plugin.PluginContext

import andiron.{AndironException, Catalog, ErrorCode}

/** On the driver: the open catalogs made from Python, by id. Executors request them through the plugin's RPC. */
private[andiron] object DriverCatalogs {
  private[python] val Tag = "andiron python catalog"
  private val open = new ConcurrentHashMap[String, Catalog[_]]

  def add(catalog: Catalog[_]): Unit = open.put(catalog.id.uuid, catalog): Unit

  def remove(uuid: String): Unit = open.remove(uuid): Unit

  /** Removes the catalogs that the previous application left open. */
  def clear(): Unit = open.clear()

  /** The catalog id that an executor requests; None for any other message. */
  def asked(message: Any): Option[String] = message match {
    case Array(Tag, uuid: String) => Some(uuid)
    case _                        => None
  }

  /**
   * The catalog, serialized because Spark's RPC reads with a class loader that does not see the classes of `--jars`;
   * empty if there is none.
   */
  def answer(uuid: String): Array[Byte] = Option(open.get(uuid)).fold(Array.emptyByteArray) { catalog =>
    val bytes = new ByteArrayOutputStream
    val out = new ObjectOutputStream(bytes)
    out.writeObject(catalog)
    out.close()
    bytes.toByteArray
  }
}

/**
 * In an executor: the driver's catalogs by id. A Python worker sends an id and the number of demand hints that the
 * driver had made when the worker's function was created; the catalog is fetched from the driver, and fetched again if
 * the copy is older than those hints. Any thread.
 */
private[andiron] final class ExecutorCatalogs(plugin: PluginContext) {
  private val known = new ConcurrentHashMap[String, ExecutorCatalogs.Copy]

  /** The catalog with at least `hints` hints; a ReleasedException if the driver has no open catalog of this id. */
  def find(uuid: String, hints: Long): Catalog[_] = Option(known.get(uuid)).filter(copy => copy.hints >= hints && !copy.catalog.isClosed).fold[Catalog[_]] {
    known.remove(uuid)
    val bytes = plugin.ask(Array[AnyRef](DriverCatalogs.Tag, uuid)) match {
      case bytes: Array[Byte] => bytes
      case _                  => Array.emptyByteArray
    }
    if (bytes.isEmpty)
      throw AndironException.of(ErrorCode.CatalogClosed, "the catalog is closed on the driver, or was made by another application: make a new one", null)
    val catalog = ExecutorCatalogs.read(bytes)
    known.values.removeIf(old => old.catalog.isClosed)
    known.put(uuid, ExecutorCatalogs.Copy(catalog, hints))
    catalog
  }(_.catalog)
}

private object ExecutorCatalogs {

  /** A catalog fetched after at least `hints` hints. */
  private final case class Copy(catalog: Catalog[_], hints: Long)

  private def read(bytes: Array[Byte]): Catalog[_] = {
    val in = new ObjectInputStream(new ByteArrayInputStream(bytes)) {
      override def resolveClass(description: ObjectStreamClass): Class[_] =
        try Class.forName(description.getName, false, classOf[Catalog[_]].getClassLoader)
        catch { case _: ClassNotFoundException => super.resolveClass(description) }
    }
    in.readObject().asInstanceOf[Catalog[_]]
  }
}
