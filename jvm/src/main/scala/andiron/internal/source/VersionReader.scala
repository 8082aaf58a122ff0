package andiron.internal.source

import org.apache.spark.andironshim.PrivateTypes.InternalRow
import org.apache.spark.sql.connector.read.{InputPartition, PartitionReader, PartitionReaderFactory}
import org.apache.spark.sql.types.StructType

import andiron.internal.table.{KeyCodec, LineMemory, LookupFields, LookupRow, TableCursor, TableSnapshot}

private final class VersionReaderFactory(snapshot: TableSnapshot, version: String, columns: StructType) extends PartitionReaderFactory {
  override def createReader(partition: InputPartition): PartitionReader[InternalRow] = partition match {
    case ShardRange(from, until) => new VersionReader(snapshot, version, columns, from, until)
    case other                   => throw new IllegalArgumentException(s"no partition of a table: $other")
  }
}

/** Reads the rows of some shards through the index, while the task has a lease on the version. One thread. */
private final class VersionReader(snapshot: TableSnapshot, name: String, columns: StructType, from: Int, until: Int) extends PartitionReader[InternalRow] {
  private val spec = snapshot.spec.value
  private val version = spec.version(name).getOrElse(TableCursor.unknown(spec.uri, name))
  private val codec = new KeyCodec(spec.description.key.flatMap(id => version.schema.column(id)), spec.description.seed, spec.uri)
  private val fields = new LookupFields(
    LookupFields.read(version.schema, spec.lines(version.line).manifest.schemas, codec, columns), TableCursor.damaged(spec.uri, name, _))
  private var cursor: TableCursor = _
  private var memory: LineMemory = _
  private var shard = from
  private var slot = 0L
  private var address = 0L

  override def next(): Boolean = {
    if (cursor == null) {
      cursor = new TableCursor(snapshot)
      memory = cursor.memory(version)
    }
    address = 0
    try {
      while (address == 0 && shard < until) {
        if (slot < memory.slots(shard)) {
          address = memory.record(shard, slot, version.relative)
          slot += 1
        } else {
          shard += 1
          slot = 0
        }
      }
    } catch { case e: InternalError => fields.lost(e) }
    address != 0
  }

  override def get(): InternalRow = new LookupRow(fields, fields.of(address), memory, address)

  override def close(): Unit = if (cursor != null) cursor.close()
}
