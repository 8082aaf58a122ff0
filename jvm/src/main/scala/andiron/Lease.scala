package andiron

import com.esotericsoftware.kryo.DefaultSerializer

import andiron.internal.cache.{AndironErrors, NativeCursor}
import andiron.internal.util.{OfThisProcess, Refusal}

/** A lease of one version, until it is closed or the task ends. */
@DefaultSerializer(classOf[Refusal])
final class Lease[V] private[andiron] (native: NativeCursor[V], version: Long, done: () => Unit)
    extends OfThisProcess
    with AutoCloseable {
  private val held = native.acquire(version, this)

  /** The version's value; a ReleasedException after the release. Do not keep an object beyond the lease. */
  def value: V = if (native.isReleased) native.held.fail() else held

  /** Idempotent. */
  override def close(): Unit = {
    native.close()
    done()
  }
}

/** A lease of several versions, until it is closed or the task ends. */
@DefaultSerializer(classOf[Refusal])
final class LeaseSet[V] private[andiron] (
    native: NativeCursor[V], names: IndexedSeq[String], handles: Array[Long], done: () => Unit)
    extends OfThisProcess
    with AutoCloseable {
  private val held: Map[String, V] = names.zip(native.acquireAll(handles, this)).toMap

  /** The value of one of the leased versions; a ReleasedException after the release. */
  def apply(version: String): V =
    if (native.isReleased) native.held.fail()
    else held.getOrElse(version, throw AndironErrors.bad(s"version '$version' is not in this set: ${names.mkString(", ")}"))

  /** The names of the leased versions. */
  def versions: Seq[String] = names

  /** Idempotent. */
  override def close(): Unit = {
    native.close()
    done()
  }
}
