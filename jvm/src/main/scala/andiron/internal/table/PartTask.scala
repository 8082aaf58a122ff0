package andiron.internal.table

import java.io.OutputStream
import java.util.concurrent.ThreadLocalRandom

import org.apache.spark.{Partitioner, TaskContext}

import andiron.Bytes
import andiron.internal.boundary.{NativeLibrary, NativeTable}
import andiron.internal.cache.{ExecutorCache, HadoopSettings, NativeCursor}

/** Contiguous shards for each of `numPartitions` tasks. */
private[andiron] final class ShardPartitioner(shards: Int, override val numPartitions: Int) extends Partitioner {
  override def getPartition(key: Any): Int = partitionOf(key.asInstanceOf[Int])

  private def partitionOf(shard: Int): Int = (shard.toLong * numPartitions / shards).toInt

  /** The shards of a task. */
  def shardsOf(partition: Int): Range = {
    def first(of: Int): Int = ((of.toLong * shards + numPartitions - 1) / numPartitions).toInt
    first(partition) until first(partition + 1)
  }

  override def equals(other: Any): Boolean = other match {
    case same: ShardPartitioner => same.numPartitions == numPartitions && same.shardCount == shards
    case _                      => false
  }

  override def hashCode: Int = numPartitions

  private def shardCount: Int = shards
}

/**
 * Writes the segment of one task of a publish: the shards that the task owns, each compared with the parent's.
 *
 * @param parent the versions that exist, if the new one is compared with the last of them
 */
private[andiron] final class PartTask(
    source: String, uri: String, description: String, draft: String, parent: Option[(TableSnapshot, String)], shards: ShardPartitioner, settings: HadoopSettings)
    extends Serializable {

  /** Returns the task's part of the manifest. `rows` are records by shard, which ascends. */
  def write(partition: Int, rows: Iterator[(Int, Array[Byte])]): String = {
    NativeLibrary.load()
    val part = NativeTable.openPart(description, draft, parent.fold("")(_._2), uri)
    val files = new TableFiles(source, settings)
    val own = shards.shardsOf(partition)
    val ordinal = new TableManifest(draft).ordinal
    val name = f"$ordinal%d-${own.head}%d-${ThreadLocalRandom.current().nextLong()}%016x.seg"
    val out = new Part(part, files, name)
    var isWhole = false
    try {
      lend(part, own)
      val sorted = rows.buffered
      own.foreach { shard =>
        stopIfKilled()
        while (sorted.hasNext && sorted.head._1 == shard) {
          val record = sorted.next()._2
          out.add(record)
        }
        out.send()
        NativeTable.partShard(part, shard)
        out.drain()
      }
      if (sorted.hasNext)
        throw new IllegalStateException(s"table $uri: a row belongs to shard ${sorted.head._1}, and this task has ${own.head} to ${own.last}")
      val written = NativeTable.partFinish(part, name)
      out.drain()
      out.close()
      isWhole = true
      written
    } finally {
      if (!isWhole) out.abandon()
      NativeTable.closeTable(part)
    }
  }

  /** Leases the parent's files that have shards of this task, and gives them to the writer, which keeps them. */
  private def lend(part: Long, own: Range): Unit = parent.foreach { case (snapshot, text) =>
    val manifest = new TableManifest(text)
    val wanted = manifest.files.zipWithIndex.filter { case (file, _) => file.firstShard <= own.last && file.lastShard >= own.head }
    if (wanted.nonEmpty) {
      val segments = snapshot.segments.opened(Nil)
      val cursor = new NativeCursor[Bytes](segments, ExecutorCache.current().attempts.of(TaskContext.get()), ordered = false, Array.emptyLongArray)
      val leased = cursor.acquireHeld(wanted.map { case (file, _) => segments.handleOf(file.name) }.toArray, this)
      wanted.zipWithIndex.foreach { case ((_, number), position) => NativeTable.partParent(part, number, leased, position) }
    }
  }

  private def stopIfKilled(): Unit = {
    val context = TaskContext.get()
    if (context != null && context.isInterrupted()) throw new org.apache.spark.TaskKilledException("the task was killed")
  }
}

/** The bytes of one segment on their way: records to the writer, and what it gives to the file, which is created when there is some. */
private final class Part(handle: Long, files: TableFiles, name: String) {
  private val records = new RecordBuffer
  private val buffer = new Array[Byte](1 << 20)
  private var out: OutputStream = _

  def add(record: Array[Byte]): Unit = {
    records.append(record)
    if (records.length >= (1 << 20)) send()
  }

  def send(): Unit = if (records.length > 0) {
    NativeTable.partRows(handle, records.array, records.length)
    records.clear()
  }

  def drain(): Unit = {
    var taken = NativeTable.partTake(handle, buffer)
    while (taken > 0) {
      if (out == null) out = files.write(name)
      out.write(buffer, 0, taken)
      taken = NativeTable.partTake(handle, buffer)
    }
  }

  def close(): Unit = if (out != null) {
    val whole = out
    whole.close()
  }

  def abandon(): Unit = if (out != null) {
    try out.close()
    catch { case _: java.io.IOException => () }
    files.remove(name)
  }
}
