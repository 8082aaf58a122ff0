package andiron.internal.metrics

import java.io.{ByteArrayOutputStream, DataOutputStream}
import java.net.InetAddress

import com.fasterxml.jackson.databind.node.ObjectNode
import org.apache.spark.{SparkEnv, TaskContext}

import andiron.internal.util.Json

/** Encodes cells in the binary layout of docs/internals/wire-format.md, with little-endian integers. */
private[andiron] final class CellEncoder(context: TaskContext, outcome: CellEncoder.Outcome) {
  private val scope = TaskScope.of(context)

  /** The cells of one step. Samples beyond a task's limit are left out, greatest hashes first. */
  def encode(cells: Seq[StepCell]): Array[Array[Byte]] = {
    val room = new SampleRoom(cells)
    cells.map(one(_, room)).toArray
  }

  private def one(cell: StepCell, room: SampleRoom): Array[Byte] = {
    val bytes = new ByteArrayOutputStream(128)
    val out = new LittleEndian(bytes)
    out.int(CellEncoder.Version)
    out.long(cell.handle.id)
    out.long(cell.site.id)
    out.long(cell.instance)
    out.int(cell.partition)
    out.int(cell.partitions)
    out.int(context.stageId())
    out.int(context.stageAttemptNumber())
    out.long(context.taskAttemptId())
    val whole = cell.failures.forall(all => all.isWhole && all.toSeq.forall(room.has))
    out.byte((if (cell.isComplete) 1 else 0) | outcome.flag | (if (whole) 4 else bound(cell, room)) | (if (cell.isKept) 8 else 0) | (if (cell.isDisputed) 32 else 0))
    out.long(scope.execution)
    out.short(scope.guards.length)
    scope.guards.foreach(out.long)
    val counters = cell.counters
    out.short(counters.size)
    counters.foreach { case (index, value) =>
      out.short(index)
      out.long(value)
    }
    out.long(cell.failures.fold(0L)(_.seen))
    val samples = cell.failures.toSeq.flatMap(all => json(cell, all, room))
    out.int(samples.size)
    samples.foreach { text =>
      out.int(text.length)
      out.bytes(text)
    }
    bytes.toByteArray
  }

  /** Flag of the limit that left out samples: 0 their number, 64 the bytes of one task, 128 the bytes of all tasks. */
  private def bound(cell: StepCell, room: SampleRoom): Int =
    if (!cell.failures.exists(all => all.isCutBySize || !all.toSeq.forall(room.has))) 0
    else if (SampleBounds.isShared(cell.handle.limits, cell.partitions)) 128
    else 64

  private def json(cell: StepCell, failures: FailureSamples, room: SampleRoom): Seq[Array[Byte]] = {
    var told = Set.empty[Long]
    failures.toSeq.filter(room.has).map { sample =>
      val stack = if (told(sample.stackHash)) None else failures.stack(sample.stackHash)
      told += sample.stackHash
      Json.bytes(describe(cell, sample, stack))
    }
  }

  private def describe(cell: StepCell, sample: FailureSample, stack: Option[String]): ObjectNode = {
    val node = Json.node()
    node.put("hash", java.lang.Long.toUnsignedString(sample.hash))
    sample.keyHash.foreach(hash => node.put("key_hash", java.lang.Long.toUnsignedString(hash)))
    node.put("step", cell.handle.name).put("site", cell.site.label)
    node.put("error_class", sample.errorClass).put("message", sample.message)
    node.put("stack_hash", f"${sample.stackHash}%016x")
    stack.foreach(node.put("stack", _))
    sample.group.foreach(node.put("group", _))
    node.put("count", sample.count)
    sample.rowKey.foreach(node.put("row_key", _))
    node.put("record", sample.record).put("record_cut", sample.isCut)
    sample.version.foreach(node.put("version", _))
    node.put("stage", context.stageId()).put("stage_attempt", context.stageAttemptNumber())
    node.put("partition", cell.partition).put("task_attempt", context.taskAttemptId())
    node.put("executor", CellEncoder.executor).put("host", CellEncoder.host)
    node.put("ts_ms", System.currentTimeMillis())
  }
}

private[andiron] object CellEncoder {
  private val Version = 2

  /** The attempt's outcome, as known when its cells are encoded. */
  sealed abstract class Outcome(val flag: Int)
  case object Succeeded extends Outcome(0)
  case object Failed extends Outcome(2)
  case object Early extends Outcome(16)

  /** The cell of an instance without partitions, for which no task will send a cell. */
  def empty(handle: StepHandle, site: StepSite, instance: Long): Array[Byte] = {
    val bytes = new ByteArrayOutputStream(64)
    val out = new LittleEndian(bytes)
    out.int(Version)
    Seq(handle.id, site.id, instance).foreach(out.long)
    Seq(0, 0, -1, 0).foreach(out.int)
    out.long(0)
    out.byte(1 | 4)
    out.long(TaskScope.NoExecution)
    out.short(0)
    out.short(0)
    out.long(0)
    out.int(0)
    bytes.toByteArray
  }

  private def executor: String = Option(SparkEnv.get).fold("")(_.executorId)

  private lazy val host: String =
    try InetAddress.getLocalHost.getHostName
    catch { case _: java.io.IOException => "" }
}

/** Selects the samples of a task's cells that fit the task's limit. */
private final class SampleRoom(cells: Seq[StepCell]) {
  private val chosen: java.util.Set[FailureSample] = {
    val all = cells.flatMap(_.failures).flatMap(_.toSeq).sortWith((a, b) => java.lang.Long.compareUnsigned(a.hash, b.hash) < 0)
    val limit = cells.map(cell => SampleBounds.perTask(cell.handle.limits, cell.partitions)).foldLeft(0L)(math.max(_, _))
    val sums = all.scanLeft(0L)(_ + _.bytes).tail
    val set = java.util.Collections.newSetFromMap(new java.util.IdentityHashMap[FailureSample, java.lang.Boolean])
    all.zip(sums).foreach { case (sample, sum) => if (sum <= limit) set.add(sample) }
    set
  }

  def has(sample: FailureSample): Boolean = chosen.contains(sample)
}

/** Writes integers in little-endian order. */
private final class LittleEndian(to: ByteArrayOutputStream) {
  private val out = new DataOutputStream(to)
  def byte(value: Int): Unit = out.writeByte(value)
  def short(value: Int): Unit = out.writeShort(java.lang.Short.reverseBytes(value.toShort).toInt)
  def int(value: Int): Unit = out.writeInt(Integer.reverseBytes(value))
  def long(value: Long): Unit = out.writeLong(java.lang.Long.reverseBytes(value))
  def bytes(value: Array[Byte]): Unit = out.write(value)
}
