package andiron.internal.cache

import org.apache.spark.TaskContext

import andiron.{Catalog, Cursor}

/** A function of a version and an argument. Each task and thread that calls it has its own cursor. */
private[andiron] final class VersionedFunction[A, V, U](catalog: Catalog[V], f: (A, V) => U) extends Serializable {
  @transient @volatile private var last: VersionedFunction.Use[V] = _

  def apply(version: String, argument: A): U = {
    val context = TaskContext.get()
    val known = last
    val use =
      if (known != null && (known.context eq context) && (known.thread eq Thread.currentThread())) known
      else begin(context)
    val entered = use.inUse.enter()
    try f(argument, use.cursor.advance(version))
    finally if (entered) use.inUse.leave()
  }

  private def begin(context: TaskContext): VersionedFunction.Use[V] = {
    val inUse = new InUse
    val use = new VersionedFunction.Use[V](context, Thread.currentThread(), catalog.cursor(ordered = false, inUse), inUse)
    last = use
    use
  }
}

private object VersionedFunction {
  final class Use[V](val context: TaskContext, val thread: Thread, val cursor: Cursor[V], val inUse: InUse)
}
