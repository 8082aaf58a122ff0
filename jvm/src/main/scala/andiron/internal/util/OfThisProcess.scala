package andiron.internal.util

import java.io.NotSerializableException

import com.esotericsoftware.kryo.Kryo
import com.esotericsoftware.kryo.Serializer
import com.esotericsoftware.kryo.io.{Input, Output}

/**
 * What cannot leave its process, since it is memory of it that a task leases. Java's serialisation and Kryo refuse it with an exception that
 * says so; Spark ends a job on that one without another attempt. For Kryo every subclass needs `@DefaultSerializer(classOf[Refusal])`.
 */
private[andiron] abstract class OfThisProcess extends Serializable {
  protected final def writeReplace(): AnyRef = throw OfThisProcess.refused(getClass)
}

private[andiron] object OfThisProcess {
  def refused(kind: Class[_]): NotSerializableException =
    new NotSerializableException(
      s"${kind.getName}: it is memory that a task leases in this process, and cannot be sent, cached or returned. Copy what you need out of it, bytes by " +
        "`toArray`, and return that; to have it elsewhere, send the version's name and lease it there with the catalog, which can be sent")
}

/** What stays on the driver, and is refused by serialisation alike: `remedy` says what a function takes along in its place. */
private[andiron] abstract class OfTheDriver(remedy: String) extends Serializable {
  protected final def writeReplace(): AnyRef = throw new NotSerializableException(s"${getClass.getName}: it stays on the driver, and a function has taken it along: $remedy")
}

/** Kryo's part of the refusal. Public, since Kryo makes it. */
final class Refusal extends Serializer[AnyRef] {
  override def write(kryo: Kryo, output: Output, value: AnyRef): Unit = throw OfThisProcess.refused(value.getClass)

  override def read(kryo: Kryo, input: Input, kind: Class[AnyRef]): AnyRef = throw OfThisProcess.refused(kind)
}
