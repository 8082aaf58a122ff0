package andiron.internal.util

import java.io.NotSerializableException

import com.esotericsoftware.kryo.Kryo
import com.esotericsoftware.kryo.Serializer
import com.esotericsoftware.kryo.io.{Input, Output}

/**
 * A value that cannot leave its process because it is memory leased by a task. Java serialization and Kryo reject it
 * with an exception that explains this; Spark fails a job with that exception without another attempt. For Kryo every
 * subclass needs `@DefaultSerializer(classOf[Refusal])`.
 */
private[andiron] abstract class OfThisProcess extends Serializable {
  protected final def writeReplace(): AnyRef = throw OfThisProcess.refused(getClass)
}

private[andiron] object OfThisProcess {
  def refused(kind: Class[_]): NotSerializableException =
    new NotSerializableException(
      s"${kind.getName}: it is memory that a task leases in this process, and cannot be sent, cached or returned. Copy the data that you need, bytes by " +
        "`toArray`, and return that; to have it elsewhere, send the version's name and lease it there with the catalog, which can be sent")
}

/**
 * A value that must stay on the driver; serialization rejects it. `remedy` tells the user which value a function can
 * use instead.
 */
private[andiron] abstract class OfTheDriver(remedy: String) extends Serializable {
  protected final def writeReplace(): AnyRef = throw new NotSerializableException(s"${getClass.getName}: it stays on the driver, but a function refers to it: $remedy")
}

/** Kryo's part of the rejection. Public because Kryo instantiates it. */
final class Refusal extends Serializer[AnyRef] {
  override def write(kryo: Kryo, output: Output, value: AnyRef): Unit = throw OfThisProcess.refused(value.getClass)

  override def read(kryo: Kryo, input: Input, kind: Class[AnyRef]): AnyRef = throw OfThisProcess.refused(kind)
}
