package andiron.internal.cache

import java.lang.ref.{Cleaner, Reference, WeakReference}
import java.nio.ByteBuffer
import java.util.concurrent.ConcurrentHashMap

import andiron.internal.boundary.Native
import andiron.internal.util.DaemonThread

/**
 * A resident version's bytes in memory. The mapping stays valid as long as this object is reachable, regardless of
 * leases and budget; after a release the pages may be dropped, and reading faults them in again.
 */
private[andiron] final class View private (val handle: Long, val address: Long, val length: Long) {

  /** A read-only buffer on part of the view. The buffer and all buffers derived from it keep the view reachable. */
  def buffer(offset: Long, size: Int): ByteBuffer = {
    val root = Native.viewBuffer(handle, offset, size)
    Views.cleaner.register(root, new Views.Keep(this))
    root.asReadOnlyBuffer()
  }
}

/** The views of this process, one per residency while in use. */
private[andiron] object Views {
  private val byResidency = new ConcurrentHashMap[java.lang.Long, WeakReference[View]]

  /** A daemon thread that runs the cleanup of unreachable objects. */
  val cleaner: Cleaner = Cleaner.create((task: Runnable) => DaemonThread("andiron-cleaner", task))

  /** The view of the bytes number `index` that `cursor` holds; `residency` is their id, or 0 if unknown. */
  def of(cursor: Long, index: Int, residency: Long): View = {
    val known = if (residency == 0) null else byResidency.get(residency)
    val view = if (known == null) null else known.get()
    if (view != null) view else open(cursor, index)
  }

  private def open(cursor: Long, index: Int): View = {
    val out = new Array[Long](3)
    val handle = Native.openView(cursor, index, out)
    val view = View.of(handle, out(0), out(1))
    val residency: java.lang.Long = out(2)
    val reference = new WeakReference(view)
    byResidency.put(residency, reference)
    cleaner.register(view, new Views.Close(handle, residency, reference))
    view
  }

  /** Closes a view that has become unreachable. */
  private final class Close(handle: Long, residency: java.lang.Long, reference: WeakReference[View]) extends Runnable {
    override def run(): Unit = {
      byResidency.remove(residency, reference)
      Native.closeView(handle)
    }
  }

  /** Keeps a view reachable as long as the buffer that it is registered for. */
  private[internal] final class Keep(view: View) extends Runnable {
    override def run(): Unit = Reference.reachabilityFence(view)
  }
}

private[andiron] object View {
  private[internal] def of(handle: Long, address: Long, length: Long): View = new View(handle, address, length)
}
