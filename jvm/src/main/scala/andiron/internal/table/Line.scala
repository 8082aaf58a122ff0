package andiron.internal.table

import java.lang.ref.WeakReference
import java.util.concurrent.{CompletableFuture, ConcurrentHashMap, Executors}

import andiron.internal.boundary.NativeTable
import andiron.internal.util.DaemonThread

/**
 * A line of a table in this process: the value that tasks lease beside the files of their version. Any thread. What a
 * [[LineMemory]] refers to stays after `close`.
 */
private[andiron] final class Line(description: TableDescription, manifest: TableManifest, table: String) extends AutoCloseable {
  private val handle = NativeTable.openLine(description.text, manifest.text, table)
  private val views = new ConcurrentHashMap[Int, WeakReference[LineMemory]]
  private var growing: (Int, CompletableFuture[Unit]) = (-1, CompletableFuture.completedFuture(()))

  /** An estimate of the bytes that the index of all its versions takes. */
  val estimate: Long = NativeTable.indexEstimate(description.text, manifest.text, table)

  /** Gives the line the first `files` files of its manifest, which `cursor` leases from `position` on. */
  def offer(files: Int, cursor: Long, position: Int): Unit = NativeTable.lineOffer(handle, files, cursor, position)

  /** Whether the version `relative` is in the index. */
  def has(relative: Int): Boolean = NativeTable.lineVersions(handle) > relative

  /**
   * Brings the versions up to `relative` into the index, once, on a thread that goes on if the caller is killed. The files
   * must have been offered.
   */
  def grow(relative: Int): CompletableFuture[Unit] = synchronized {
    val (version, done) = growing
    if (version >= relative && !done.isCompletedExceptionally) done
    else {
      val next = new CompletableFuture[Unit]
      Line.builders.execute { () =>
        try {
          NativeTable.lineGrow(handle, relative, Line.Threads)
          next.complete(()): Unit
        } catch { case t: Throwable => next.completeExceptionally(t): Unit }
      }
      growing = (relative, next)
      next
    }
  }

  /** The memory of a version that is in the index, in use or new. */
  def memory(relative: Int): LineMemory = {
    val known = Option(views.get(relative)).map(_.get).orNull
    if (known != null) known
    else {
      val fresh = LineMemory.open(handle, relative, description.shards)
      views.put(relative, new WeakReference(fresh)): Unit
      fresh
    }
  }

  override def close(): Unit = NativeTable.closeTable(handle)
}

private[andiron] object Line {

  /** Threads that build the index of one base. */
  private val Threads = math.min(8, Runtime.getRuntime.availableProcessors)

  private val builders = Executors.newCachedThreadPool((task: Runnable) => DaemonThread("andiron-table", task))
}
