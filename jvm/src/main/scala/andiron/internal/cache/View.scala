package andiron.internal.cache

import java.lang.ref.{Cleaner, Reference, WeakReference}
import java.nio.ByteBuffer
import java.util.concurrent.ConcurrentHashMap

import andiron.internal.boundary.Native
import andiron.internal.util.DaemonThread

/**
 * A resident version's bytes in memory. The mapping stays valid as long as this object is reachable, whatever happens to leases and
 * budget; what is released may lose its pages, and reading faults them in again.
 */
private[andiron] final class View private (val handle: Long, val address: Long, val length: Long) {

  /** A read-only buffer on part of the view. The buffer, and every one derived from it, keeps the view reachable. */
  def buffer(offset: Long, size: Int): ByteBuffer = {
    val root = Native.viewBuffer(handle, offset, size)
    Views.cleaner.register(root, new Views.Keep(this))
    root.asReadOnlyBuffer()
  }
}

/** The views of this process, one per residency as long as somebody uses it. */
private[andiron] object Views {
  private val byResidency = new ConcurrentHashMap[java.lang.Long, WeakReference[View]]

  /** One daemon thread that closes what became unreachable. */
  val cleaner: Cleaner = Cleaner.create((task: Runnable) => DaemonThread("andiron-cleaner", task))

  /** The view of the bytes number `index` that `cursor` holds; `residency` is their id, or 0 if the caller does not know it. */
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

  /** Ends a view that nobody can reach any more. */
  private final class Close(handle: Long, residency: java.lang.Long, reference: WeakReference[View]) extends Runnable {
    override def run(): Unit = {
      byResidency.remove(residency, reference)
      Native.closeView(handle)
    }
  }

  /** Keeps a view reachable as long as the buffer that this is registered for. */
  private[internal] final class Keep(view: View) extends Runnable {
    override def run(): Unit = Reference.reachabilityFence(view)
  }
}

private[andiron] object View {
  private[internal] def of(handle: Long, address: Long, length: Long): View = new View(handle, address, length)
}
