package andiron.internal.python

import java.io.{ByteArrayInputStream, ByteArrayOutputStream, ObjectInputStream, ObjectOutputStream, ObjectStreamClass}
import java.util.concurrent.ConcurrentHashMap

import org.apache.spark.api.plugin.PluginContext

import andiron.{AndironException, Catalog, ErrorCode}

/** On the driver: the catalogs that were made from Python, by their ids, until they are closed. Executors ask for them by the plugin's RPC. */
private[andiron] object DriverCatalogs {
  private[python] val Tag = "andiron python catalog"
  private val open = new ConcurrentHashMap[String, Catalog[_]]

  def add(catalog: Catalog[_]): Unit = open.put(catalog.id.uuid, catalog): Unit

  def remove(uuid: String): Unit = open.remove(uuid): Unit

  /** What the application before has left open goes. */
  def clear(): Unit = open.clear()

  /** The id that an executor asks for; None for any other message. */
  def asked(message: Any): Option[String] = message match {
    case Array(Tag, uuid: String) => Some(uuid)
    case _                        => None
  }

  /** The catalog in bytes, since Spark's RPC reads with a class loader that does not see the classes of `--jars`; empty if there is none. */
  def answer(uuid: String): Array[Byte] = Option(open.get(uuid)).fold(Array.emptyByteArray) { catalog =>
    val bytes = new ByteArrayOutputStream
    val out = new ObjectOutputStream(bytes)
    out.writeObject(catalog)
    out.close()
    bytes.toByteArray
  }
}

/**
 * In an executor: the driver's catalogs by their ids. What a Python worker sends is an id and how many hints of demand the driver had given when the
 * worker's function was made; the catalog comes from the driver, again if it is from before the last of them. Any thread.
 */
private[andiron] final class ExecutorCatalogs(plugin: PluginContext) {
  private val known = new ConcurrentHashMap[String, ExecutorCatalogs.Copy]

  /** The catalog, with as many `hints` at least; a ReleasedException if the driver has none of this id, or no longer. */
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

  /** A catalog that was fetched after so many hints, or more. */
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
