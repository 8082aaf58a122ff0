package andiron.internal.cache

import java.lang.ref.WeakReference
import java.nio.ByteBuffer
import java.util.concurrent.ConcurrentHashMap

import org.apache.spark.{SparkContext, SparkEnv}
import org.apache.spark.broadcast.Broadcast
import org.apache.spark.serializer.{JavaSerializer, SerializerInstance}

/**
 * A catalog's spec as tasks carry it: a broadcast of bytes from Java serialization, as for a task's closure,
 * independent of `spark.serializer`. The process that made the catalog uses the original object; any other
 * deserializes once per task class loader.
 */
private[andiron] final class SharedSpec[V] private (uuid: String, bytes: Broadcast[Array[Byte]], @transient private val made: CatalogSpec[V])
    extends Serializable {

  def value: CatalogSpec[V] = if (made != null) made else SharedSpec.find[V](uuid, bytes)

  /** Removes the executors' copies without waiting. */
  def unpersist(): Unit = bytes.unpersist(blocking = false)
}

private[andiron] object SharedSpec {
  private final case class Key(uuid: String, loader: ClassLoader)

  /** Specs of catalogs made in this process, as long as they are reachable. */
  private val own = new ConcurrentHashMap[String, WeakReference[CatalogSpec[_]]]
  private val read = new ConcurrentHashMap[Key, CatalogSpec[_]]

  /** Throws a NotSerializableException if the loader cannot be serialized. */
  def of[V](context: SparkContext, spec: CatalogSpec[V]): SharedSpec[V] = {
    val bytes = serializer.serialize(spec)
    val array = new Array[Byte](bytes.remaining)
    bytes.get(array)
    own.put(spec.id.uuid, new WeakReference(spec))
    new SharedSpec[V](spec.id.uuid, context.broadcast(array), spec)
  }

  /** Drops the cached specs of a catalog that was closed in this process. */
  def forget(uuid: String): Unit = {
    own.remove(uuid)
    read.keySet.removeIf(key => key.uuid == uuid): Unit
  }

  /** Drops all cached specs. */
  def clear(): Unit = {
    own.clear()
    read.clear()
  }

  private def find[V](uuid: String, bytes: Broadcast[Array[Byte]]): CatalogSpec[V] = {
    val reference = own.get(uuid)
    val here = if (reference == null) null else reference.get()
    val spec =
      if (here != null) here
      else {
        val loader = Thread.currentThread().getContextClassLoader
        val classes = new Classes(if (loader == null) getClass.getClassLoader else loader)
        // The spec of a closed catalog is not cached: no later event would remove it.
        if (ExecutorCache.hasClosed(uuid)) deserialized(bytes, classes)
        else read.computeIfAbsent(Key(uuid, classes.tasks), _ => deserialized(bytes, classes))
      }
    spec.asInstanceOf[CatalogSpec[V]]
  }

  private def deserialized(bytes: Broadcast[Array[Byte]], classes: ClassLoader): CatalogSpec[_] =
    serializer.deserialize[CatalogSpec[_]](ByteBuffer.wrap(bytes.value), classes)

  private def serializer: SerializerInstance = new JavaSerializer(SparkEnv.get.conf).newInstance()

  /** Loads Andiron's classes from this copy of Andiron, and all others from the tasks' class loader. */
  private final class Classes(val tasks: ClassLoader) extends ClassLoader(null) {
    override def loadClass(name: String, resolve: Boolean): Class[_] =
      if (!name.startsWith("andiron.")) tasks.loadClass(name)
      else
        try SharedSpec.getClass.getClassLoader.loadClass(name)
        catch { case _: ClassNotFoundException => tasks.loadClass(name) }
  }
}
