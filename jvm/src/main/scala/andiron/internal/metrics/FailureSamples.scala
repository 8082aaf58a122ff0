package andiron.internal.metrics

import java.nio.charset.StandardCharsets.UTF_8
import java.util.{Comparator, TreeMap}

import andiron.internal.util.CallbackGuard

/** One failed row as text. `hash` selects the samples to keep and is equal in every attempt. */
private[andiron] final class FailureSample(
    val hash: Long,
    val keyHash: Option[Long],
    val rowKey: Option[String],
    val record: String,
    val isCut: Boolean,
    val version: Option[String],
    val errorClass: String,
    val message: String,
    val stackHash: Long,
    val group: Option[String]) {

  /** Number of rows that the sample represents. */
  var count = 1L

  /** Approximate size of the sample in bytes on its way to the driver; equal in every attempt. */
  def bytes: Int = 512 + 2 * (record.length + message.length + rowKey.fold(0)(_.length) + group.fold(0)(_.length))
}

/**
 * The failed rows of one evaluation: all, or those with the smallest hashes. The selection depends only on the set of
 * failed rows, not on their order: it is the longest prefix of the samples in hash order that fits both limits. Rows
 * with the same key form one sample, and so do rows without a key that look the same.
 */
private[andiron] final class FailureSamples(cell: StepCell) {
  private val limits = cell.handle.limits
  private val mostBytes = SampleBounds.perTask(limits, cell.partitions)
  private val kept = new TreeMap[java.lang.Long, FailureSample](FailureSamples.Unsigned)
  private val stacks = new java.util.HashMap[Long, String]
  private var bytes = 0L

  private var count = 0L

  // The smallest rejected hash, if there is one. Greater hashes are rejected from then on.
  private var isCut = false
  private var ceiling = -1L
  private var isFull = false
  private var isLost = false

  /** Number of failed rows. */
  def seen: Long = count

  /** Never throws; if no sample of the row can be made, `isWhole` becomes false. */
  def add(row: FailedRow, error: Throwable): Unit = {
    count += 1
    try {
      val hash = row.hash(cell.site.label)
      if (isWanted(hash)) put(sample(row, error, hash)) else Option(kept.get(hash)).foreach(_.count += 1)
    } catch {
      case t: Throwable =>
        isLost = true
        FailureSamples.failures.note("take a sample of a failed row", t)
    }
  }

  private def isWanted(hash: Long): Boolean = !kept.containsKey(hash) && !(isCut && java.lang.Long.compareUnsigned(hash, ceiling) >= 0)

  private def put(sample: FailureSample): Unit = {
    kept.put(sample.hash, sample)
    bytes += sample.bytes
    while (kept.size > limits.samples || (bytes > mostBytes && !kept.isEmpty)) {
      isFull = kept.size <= limits.samples
      val last = kept.pollLastEntry().getValue
      bytes -= last.bytes
      isCut = true
      ceiling = last.hash
    }
  }

  private def sample(row: FailedRow, error: Throwable, hash: Long): FailureSample = {
    val stackHash = FailureSamples.hash(error.getClass.getName, FailureSamples.ofFunction(error).mkString("\n"))
    if (stacks.size < FailureSamples.MostStacks)
      stacks.computeIfAbsent(stackHash, _ => FailureSamples.cut(row.stack(error), FailureSamples.StackCharacters))
    val record = row.record
    new FailureSample(
      hash,
      if (row.hasKey) Some(row.hash("")) else None,
      row.key.map(FailureSamples.cut(_, FailureSamples.KeyCharacters)),
      FailureSamples.cut(record, limits.recordBytes),
      record.length > limits.recordBytes,
      row.version.map(FailureSamples.cut(_, FailureSamples.KeyCharacters)),
      error.getClass.getName,
      FailureSamples.cut(row.message(error), FailureSamples.MessageCharacters),
      stackHash,
      row.group(error).map(FailureSamples.cut(_, FailureSamples.KeyCharacters)))
  }

  /** Whether the size limit, not the number limit, rejected the last rejected sample. */
  def isCutBySize: Boolean = isCut && isFull

  /** Whether every failed row is represented by a sample. */
  def isWhole: Boolean = !isCut && !isLost

  /** The samples in ascending hash order. */
  def toSeq: Seq[FailureSample] = {
    var all = Vector.empty[FailureSample]
    kept.values.forEach(sample => all :+= sample)
    all
  }

  /** The full stack for this hash, if it was among the first stacks. */
  def stack(stackHash: Long): Option[String] = Option(stacks.get(stackHash))
}

private[andiron] object FailureSamples {
  private val failures = new CallbackGuard
  private val Unsigned: Comparator[java.lang.Long] = (a, b) => java.lang.Long.compareUnsigned(a, b)
  private val HashedFrames = 20
  private val Guard = classOf[GuardedRows[_, _, _, _]].getName
  private val MostStacks = 16
  private val StackCharacters = 6000
  private val MessageCharacters = 500
  private val KeyCharacters = 200

  /**
   * A hash of a place and a text that is stable across releases: FNV-1a over UTF-8, followed by a mixing step that
   * makes all bits equally significant.
   */
  def hash(place: String, text: String): Long = {
    var h = 0xcbf29ce484222325L
    def feed(bytes: Array[Byte]): Unit = bytes.foreach(b => h = (h ^ (b & 0xff)) * 0x100000001b3L)
    feed(place.getBytes(UTF_8))
    feed(Array[Byte](0))
    feed(text.getBytes(UTF_8))
    h = (h ^ (h >>> 30)) * 0xbf58476d1ce4e5b9L
    h = (h ^ (h >>> 27)) * 0x94d049bb133111ebL
    h ^ (h >>> 31)
  }

  /**
   * The frames that distinguish causes: those of the step's function. Frames below it differ between the first row and
   * later rows.
   */
  private def ofFunction(error: Throwable): Iterator[StackTraceElement] =
    ErrorTexts.trace(error).iterator.takeWhile(!_.getClassName.startsWith(Guard)).take(HashedFrames)

  /** The beginning of a text. An unpaired surrogate, which UTF-8 and JSON cannot represent, becomes a question mark. */
  def cut(text: String, characters: Int): String = {
    val end = if (text.length <= characters) text.length else if (Character.isHighSurrogate(text.charAt(characters - 1))) characters - 1 else characters
    val short = text.substring(0, end)
    if (isWhole(short)) short else new String(short.getBytes(UTF_8), UTF_8)
  }

  private def isWhole(text: String): Boolean = {
    var at = 0
    while (at < text.length && !Character.isSurrogate(text.charAt(at))) at += 1
    at == text.length || UTF_8.newEncoder().canEncode(text)
  }
}
