package andiron.internal.source

import java.util.{Collections, OptionalLong, Set => JavaSet}

import org.apache.spark.sql.connector.catalog.{SupportsRead, Table => SparkTable, TableCapability}
import org.apache.spark.sql.connector.read.{Batch, InputPartition, PartitionReaderFactory, Scan, ScanBuilder, Statistics, SupportsPushDownRequiredColumns, SupportsReportStatistics}
import org.apache.spark.sql.types.StructType
import org.apache.spark.sql.util.CaseInsensitiveStringMap

import andiron.internal.table.{TableSnapshot, VersionOfLine}

/** A version of a table as Spark's data source API reads it, with the columns of that version. On the driver. */
private[andiron] final class VersionTable(uri: String, version: VersionOfLine, snapshot: TableSnapshot, slots: Int) extends SparkTable with SupportsRead {
  private val all = version.schema.toStruct

  override def name: String = s"$uri@${version.name}"

  override def schema: StructType = all

  override def capabilities: JavaSet[TableCapability] = Collections.singleton(TableCapability.BATCH_READ)

  override def newScanBuilder(options: CaseInsensitiveStringMap): ScanBuilder = new ScanBuilder with SupportsPushDownRequiredColumns {
    private var chosen = all

    // A nested column is read whole.
    override def pruneColumns(required: StructType): Unit = chosen = StructType(required.fields.map(field => all(field.name)))

    override def build(): Scan = new VersionScan(VersionTable.this.name, version, snapshot, chosen, slots)
  }
}

private final class VersionScan(name: String, version: VersionOfLine, snapshot: TableSnapshot, columns: StructType, slots: Int)
    extends Scan with Batch with SupportsReportStatistics {
  private val spec = snapshot.spec.value

  override def readSchema(): StructType = columns

  override def description(): String = s"AndironTable $name"

  override def toBatch: Batch = this

  override def planInputPartitions(): Array[InputPartition] = {
    val shards = spec.description.shards
    val parts = math.max(1, math.min(shards, 2 * slots))
    (0 until parts).map(part => ShardRange(part * shards / parts, (part + 1) * shards / parts): InputPartition).toArray
  }

  override def createReaderFactory(): PartitionReaderFactory = new VersionReaderFactory(snapshot, version.name, columns)

  /** Of the newest version of the line, which this one resembles. */
  override def estimateStatistics(): Statistics = {
    val count = spec.lines(version.line).manifest.rows
    new Statistics {
      override def sizeInBytes(): OptionalLong = OptionalLong.of(count * (columns.defaultSize + 8L))
      override def numRows(): OptionalLong = OptionalLong.of(count)
    }
  }

  override def equals(other: Any): Boolean = other match {
    case that: VersionScan => that.scanned == scanned
    case _                 => false
  }

  override def hashCode: Int = scanned.hashCode

  /** Equal for scans that read the same rows, so that Spark exchanges them once. */
  private def scanned = (name, columns, System.identityHashCode(snapshot))
}

/** The shards of one partition. */
private final case class ShardRange(from: Int, until: Int) extends InputPartition
