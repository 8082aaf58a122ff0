package andiron.internal.table

import org.apache.spark.TaskContext
import org.apache.spark.andironshim.LookupReader
import org.apache.spark.andironshim.PrivateTypes.InternalRow
import org.apache.spark.sql.types.Decimal
import org.apache.spark.unsafe.types.UTF8String

import andiron.{AndironException, ErrorCode}
import andiron.internal.cache.Memory

/**
 * Finds keys in the versions that rows name. In a task the first lookup leases, and the end of the task releases; outside
 * any task each lookup leases, copies its record and releases. One thread.
 */
private[andiron] final class LookupCursor(plan: LookupPlan) extends LookupReader {
  private val spec = plan.snapshot.spec.value
  private val seed = spec.description.seed
  private val isInTask = TaskContext.get() != null
  private val word = new Array[Byte](8)
  private var buffer = new RecordBuffer
  // The last key that was found in the version, and its record: a filter and a projection ask for the same one.
  private var before = new RecordBuffer
  private var keyBytes = 0
  private var record: InternalRow = _
  private var isTooLong = false

  private val known = new java.util.HashMap[UTF8String, LookupCursor.Named]
  private val fields = new java.util.HashMap[(Int, Int), Map[Int, Array[LookupField]]]
  private var cursor: TableCursor = _
  private var memory: LineMemory = _
  private var last: UTF8String = UTF8String.EMPTY_UTF8
  private var named: LookupCursor.Named = _

  override def findWord(version: UTF8String, key: Long): InternalRow =
    if (!moveTo(version)) null
    else if (record != null && Memory.long(word, 0) == key) record
    else {
      Memory.putLong(word, 0, key)
      row(word, 8, KeyCodec.fmix64(key ^ seed))
    }

  override def find(version: UTF8String): InternalRow =
    if (isTooLong || buffer.length > KeyCodec.Longest || !moveTo(version)) null
    else {
      val length = buffer.length
      if (record != null && length == keyBytes && java.util.Arrays.equals(buffer.array, 0, length, before.array, 0, length)) record
      else {
        buffer.pad(0)
        val key = buffer
        buffer = before
        before = key
        keyBytes = length
        row(key.array, length, named.codec.hash(key.array, 0, length))
      }
    }

  override def clear(): Unit = {
    buffer.clear()
    isTooLong = false
  }

  override def putWord(part: Long): Unit = {
    val at = buffer.length
    buffer.extendTo(at + 8)
    buffer.putLong(at, part)
  }

  override def putWide(part: Decimal): Unit = {
    val at = buffer.length
    buffer.extendTo(at + 16)
    KeyCodec.putWide(buffer, at, part.toJavaBigDecimal.unscaledValue)
  }

  override def putText(part: UTF8String): Unit =
    if (hasRoom(part.numBytes)) buffer.append(part.getBaseObject, part.getBaseOffset, part.numBytes)

  override def putBinary(part: Array[Byte]): Unit = if (hasRoom(part.length)) buffer.append(part)

  override def bits(part: Double): Long = KeyCodec.canonical(part)

  /** Puts the length of a part before it, unless the part is alone. No record has a longer key. */
  private def hasRoom(bytes: Int): Boolean =
    if (bytes > KeyCodec.Longest) {
      isTooLong = true
      false
    } else {
      if (plan.key.size > 1) {
        val at = buffer.length
        buffer.extendTo(at + 2)
        buffer.putShort(at, bytes)
      }
      true
    }

  /** The record of a key, followed by zeros to a multiple of 8 bytes. */
  private def row(key: Array[Byte], length: Int, hash: Long): InternalRow =
    try {
      record = null
      val address = memory.find(key, length, hash, named.version.relative)
      if (address == 0) null
      else {
        val found = new LookupRow(named.fields, named.fields.of(address), memory, address)
        if (isInTask) {
          record = found
          found
        } else found.copy()
      }
    } catch { case e: InternalError => named.fields.lost(e) }
    finally if (!isInTask) release()

  /** Whether the table has the version, which is leased then. */
  private def moveTo(version: UTF8String): Boolean = {
    if (named == null || !version.equals(last)) move(version)
    named ne LookupCursor.Unknown
  }

  private def move(version: UTF8String): Unit = {
    named = null
    record = null
    // The rows' buffers are overwritten.
    val name = version.copy()
    var next = known.get(name)
    if (next == null) {
      next = spec.version(name.toString) match {
        case Some(found)                 => use(found)
        case None if plan.failsIfUnknown => TableCursor.unknown(spec.uri, name.toString)
        case None                        => LookupCursor.Unknown
      }
      if (next ne LookupCursor.Unknown) known.put(name, next): Unit
    }
    if (next ne LookupCursor.Unknown) lease(next.version)
    last = name
    named = next
  }

  private def lease(version: VersionOfLine): Unit = {
    memory = null
    try {
      if (cursor == null) cursor = new TableCursor(plan.snapshot)
      memory = cursor.memory(version)
    } finally if (memory == null && !isInTask) release()
  }

  private def release(): Unit = {
    named = null
    memory = null
    if (cursor != null) cursor.close()
    cursor = null
  }

  /** Checks that the version has the key and the columns of the plan. */
  private def use(version: VersionOfLine): LookupCursor.Named = {
    val ids = spec.description.key
    val codec = new KeyCodec(ids.flatMap(id => version.schema.column(id)), spec.description.seed, spec.uri)
    codec.columns.zip(plan.key).foreach { case (own, target) =>
      if (KeyCodec.part(own.dataType) != KeyCodec.part(target) || !LookupTypes.widens(own.dataType, target)) differs(version, own, target.sql)
    }
    plan.result.fields.foreach { field =>
      version.schema.columns.filter(own => own.name == field.name && !LookupTypes.widens(own.dataType, field.dataType)).foreach(differs(version, _, field.dataType.sql))
    }
    val byId = fields.computeIfAbsent((version.line, version.schema.id), _ =>
      LookupFields.read(version.schema, spec.lines(version.line).manifest.schemas, codec, plan.result))
    new LookupCursor.Named(version, codec, new LookupFields(byId, TableCursor.damaged(spec.uri, version.name, _)))
  }

  private def differs(version: VersionOfLine, own: TableColumn, target: String): Nothing = throw AndironException.of(ErrorCode.TableSchema,
    s"version '${version.name}' of table ${spec.uri} has a column '${own.name}' of the type ${own.dataType.sql}, and the newest version one of the type $target, which " +
      "a row can have only one of: look such rows up apart, by mapWithVersion, or select other columns", null)
}

private object LookupCursor {

  /** A version of the table, with its key and columns. */
  final class Named(val version: VersionOfLine, val codec: KeyCodec, val fields: LookupFields)

  /** A name that the table has no version of. */
  private val Unknown = new Named(null, null, null)
}
