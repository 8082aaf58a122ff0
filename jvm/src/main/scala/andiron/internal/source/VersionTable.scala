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

private final class VersionScan(
    private val name: String, version: VersionOfLine, private val snapshot: TableSnapshot, private val columns: StructType, slots: Int)
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

  /** Rows of the newest version of the line, which this one resembles; bytes that this one hardly exceeds. */
  override def estimateStatistics(): Statistics = {
    val line = spec.lines(version.line)
    val count = line.manifest.rows
    val files = line.manifest.files.take(line.filesOf(version.relative)).map(_.bytes).sum
    val share = columns.defaultSize.toDouble / math.max(1, version.schema.toStruct.defaultSize)
    new Statistics {
      override def sizeInBytes(): OptionalLong = OptionalLong.of(math.max(count * (columns.defaultSize + 8L), (files * share).toLong))
      override def numRows(): OptionalLong = OptionalLong.of(count)
    }
  }

  override def equals(other: Any): Boolean = other match {
    case that: VersionScan => that.isSame(name, columns, snapshot)
    case _                 => false
  }

  override def hashCode: Int = (name, columns).hashCode

  /** Scans that read the same rows are equal, so that Spark exchanges them once. */
  private def isSame(name: String, columns: StructType, snapshot: TableSnapshot): Boolean =
    name == this.name && columns == this.columns && (snapshot eq this.snapshot)
}

/** The shards of one partition. */
private final case class ShardRange(from: Int, until: Int) extends InputPartition
