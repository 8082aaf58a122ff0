package andiron.internal.table

import java.util.concurrent.{ExecutionException, TimeUnit, TimeoutException}

import org.apache.spark.{TaskContext, TaskKilledException}
import org.apache.spark.andironshim.SparkInternals

import andiron.{AndironException, Bytes, ErrorCode, TableVersion}
import andiron.internal.boundary.Native
import andiron.internal.cache.{AndironErrors, ExecutorCache, NativeCursor, OpenCatalog, OwnedValue, TaskLeases}

/**
 * A task's place in a table: it leases one line up to a version, and with it all versions before, so rows may name those
 * in any order. One thread at a time.
 */
private[andiron] final class TableCursor(snapshot: TableSnapshot) extends AutoCloseable {
  private val spec = snapshot.spec.value
  private val context = TaskContext.get()
  private val cache = ExecutorCache.current()
  private val lines = snapshot.lines.opened(Nil)
  private val segments: OpenCatalog[Bytes] = if (snapshot.segments == null) null else snapshot.segments.opened(Nil)
  private val leases: TaskLeases = if (context != null) cache.attempts.of(context) else cache.outside.begin()
  private val native =
    try new NativeCursor[Line](lines, leases, ordered = false, Array.emptyLongArray)
    catch {
      case t: Throwable =>
        end()
        throw t
    }

  private val known = new java.util.HashMap[String, TableVersion]
  private var line = -1
  private var upTo = -1
  private var leased: LineMemory = _
  private var last: String = _

  /** The version of this name, leased until the next call with a version that is later or in another line. */
  def version(name: String): TableVersion = {
    last = name
    val found = known.get(name)
    if (found != null && !native.isReleased) found else find(name)
  }

  /** The memory of a version, leased as by `version`. */
  def memory(version: VersionOfLine): LineMemory = {
    if (version.line != line || version.relative > upTo || native.isReleased) move(version)
    leased
  }

  private def find(name: String): TableVersion = {
    val version = if (name == null) unknown(name) else spec.version(name).getOrElse(unknown(name))
    val memory = this.memory(version)
    val of = spec.lines(version.line)
    val key = spec.description.key
    val codec = new KeyCodec(key.flatMap(id => version.schema.column(id)), spec.description.seed, spec.uri)
    val reader = new RowReader(version.schema, of.manifest.schemas, key, codec, damaged(name, _))
    val made = new TableVersion(name, memory, version.relative, native.held, reader)
    known.put(name, made)
    made
  }

  private def move(version: VersionOfLine): Unit = {
    known.clear()
    leased = null
    upTo = -1
    val of = spec.lines(version.line)
    val files = of.filesOf(version.relative)
    val handles = lines.handleOf(of.name) +: of.manifest.files.take(files).map(file => segments.handleOf(file.name))
    val cursor = native.acquireHeld(handles.toArray, this)
    val value = OwnedValue.of(Native.leasedObject(cursor, 0)).asInstanceOf[Line]
    if (!value.has(version.relative)) {
      value.offer(files, cursor, 1)
      await(value, version)
    }
    leased = value.memory(version.relative)
    line = version.line
    upTo = version.relative
  }

  /** Waits in slices, so that a killed task stops. */
  private def await(value: Line, version: VersionOfLine): Unit = {
    val done = value.grow(version.relative)
    var isDone = false
    while (!isDone) {
      if (context != null && context.isInterrupted()) throw new TaskKilledException(SparkInternals.killReason(context))
      try {
        done.get(TableCursor.SliceMillis, TimeUnit.MILLISECONDS)
        isDone = true
      } catch {
        case _: TimeoutException => ()
        case e: ExecutionException =>
          e.getCause match {
            case own: AndironException => throw AndironErrors.about(s"version '${version.name}' of table ${spec.uri}", own)
            case other                 => throw other
          }
      }
    }
  }

  /**
   * The result of reading rows of the last version asked for. If a page was lost, of which any failure may be a result, it
   * ends with the typed error.
   */
  def reading[A](read: => A): A =
    try {
      val result = read
      LostPages.report(): Unit
      result
    } catch {
      case lost: InternalError => damaged(last, lost)
      case other: Throwable =>
        report(other)
        throw other
    }

  private def report(other: Throwable): Unit =
    try LostPages.report(): Unit
    catch {
      case lost: InternalError =>
        lost.addSuppressed(other)
        damaged(last, lost)
    }

  private def damaged(name: String, error: Throwable): Nothing = TableCursor.damaged(spec.uri, name, error)

  private def unknown(name: String): Nothing = TableCursor.unknown(spec.uri, name)

  /** Releases what is held and ends the cursor. Idempotent. */
  override def close(): Unit = {
    native.close()
    end()
  }

  private def end(): Unit = if (context == null) cache.outside.end(leases)
}

private[andiron] object TableCursor {
  private val SliceMillis = 50L

  /** Ends with the error for a record of a version that cannot be read. */
  def damaged(table: String, name: String, error: Throwable): Nothing = {
    val own = AndironException.of(ErrorCode.TableDamaged,
      s"version '$name' of table $table cannot be read: $error; a file below spark.andiron.cache.dir was truncated or its disk failed: " +
        "restart the executor", null)
    // No cause: Spark ends an executor for an InternalError among the causes of a failure.
    own.addSuppressed(error)
    throw own
  }

  /** Ends with the error for a name that the table has no version of, or null. */
  def unknown(table: String, name: String): Nothing = {
    val advice = "Publish it, correct the rows, or filter them"
    if (name == null) throw AndironException.of(ErrorCode.NullVersion, s"a row names no version of table $table (null). $advice", null)
    else throw AndironException.of(ErrorCode.UnknownVersion, s"table $table has no version '$name'. $advice", null)
  }
}
