package andiron

import org.apache.spark.TaskContext

/** A function of a version and an argument. Each task and thread that calls it has a cursor of its own. */
private[andiron] final class VersionedFunction[A, V, U](catalog: Catalog[V], f: (A, V) => U) extends Serializable {
  @transient @volatile private var last: VersionedFunction.Use[V] = _

  def apply(version: String, argument: A): U = {
    val context = TaskContext.get()
    val known = last
    val use =
      if (known != null && (known.context eq context) && (known.thread eq Thread.currentThread())) known
      else begin(context)
    f(argument, use.cursor.advance(version))
  }

  private def begin(context: TaskContext): VersionedFunction.Use[V] = {
    val use = new VersionedFunction.Use[V](context, Thread.currentThread(), catalog.cursor())
    last = use
    use
  }
}

private object VersionedFunction {
  final class Use[V](val context: TaskContext, val thread: Thread, val cursor: Cursor[V])
}
