package andiron.internal.cache

import java.lang.ref.WeakReference
import java.nio.ByteBuffer
import java.util.concurrent.ConcurrentHashMap

import org.apache.spark.{SparkContext, SparkEnv}
import org.apache.spark.broadcast.Broadcast
import org.apache.spark.serializer.{JavaSerializer, SerializerInstance}

/**
 * A catalog's spec as tasks take it along: a broadcast of bytes that Java's serialisation made, whatever `spark.serializer` is, as for a
 * task's own closure. The process that has made the catalog uses what it was made of; any other reads it once for each class loader of tasks.
 */
private[andiron] final class SharedSpec[V] private (uuid: String, bytes: Broadcast[Array[Byte]], @transient private val made: CatalogSpec[V])
    extends Serializable {

  def value: CatalogSpec[V] = if (made != null) made else SharedSpec.find[V](uuid, bytes)

  /** Removes the copies of executors, without waiting for it. */
  def unpersist(): Unit = bytes.unpersist(blocking = false)
}

private[andiron] object SharedSpec {
  private final case class Key(uuid: String, loader: ClassLoader)

  /** Of catalogs that this process has made, while they or what uses them can be reached. */
  private val own = new ConcurrentHashMap[String, WeakReference[CatalogSpec[_]]]
  private val read = new ConcurrentHashMap[Key, CatalogSpec[_]]

  /** Throws a NotSerializableException if the loader cannot be serialised. */
  def of[V](context: SparkContext, spec: CatalogSpec[V]): SharedSpec[V] = {
    val bytes = serializer.serialize(spec)
    val array = new Array[Byte](bytes.remaining)
    bytes.get(array)
    own.put(spec.id.uuid, new WeakReference(spec))
    new SharedSpec[V](spec.id.uuid, context.broadcast(array), spec)
  }

  /** Lets go what this process knows of a catalog that has ended in it. */
  def forget(uuid: String): Unit = {
    own.remove(uuid)
    read.keySet.removeIf(key => key.uuid == uuid): Unit
  }

  /** The same of all catalogs. */
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
        // Of one that has ended nothing is kept: nothing would let it go.
        if (ExecutorCache.hasClosed(uuid)) deserialized(bytes, classes)
        else read.computeIfAbsent(Key(uuid, classes.tasks), _ => deserialized(bytes, classes))
      }
    spec.asInstanceOf[CatalogSpec[V]]
  }

  private def deserialized(bytes: Broadcast[Array[Byte]], classes: ClassLoader): CatalogSpec[_] =
    serializer.deserialize[CatalogSpec[_]](ByteBuffer.wrap(bytes.value), classes)

  private def serializer: SerializerInstance = new JavaSerializer(SparkEnv.get.conf).newInstance()

  /** Andiron's classes are this copy's; all others are those that tasks see. */
  private final class Classes(val tasks: ClassLoader) extends ClassLoader(null) {
    override def loadClass(name: String, resolve: Boolean): Class[_] =
      if (!name.startsWith("andiron.")) tasks.loadClass(name)
      else
        try SharedSpec.getClass.getClassLoader.loadClass(name)
        catch { case _: ClassNotFoundException => tasks.loadClass(name) }
  }
}
