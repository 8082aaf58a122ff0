package andiron.internal.metrics

import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.atomic.{AtomicInteger, AtomicLong}

/**
 * The numbers of forwarded and omitted log lines of one level, for one stage or outside stages. A line costs one or two
 * atomic operations.
 */
private[andiron] final class LogCount(val level: String, val stage: Option[Int]) {
  private val begun = System.nanoTime()
  private val taken = new AtomicInteger
  private val leftOut = new AtomicLong

  /** The position of a line that may be forwarded, from 1; 0 if it may not, and then it is counted as omitted. */
  def place(): Int = {
    val most = bound
    val n = if (taken.get < most) taken.incrementAndGet() else Int.MaxValue
    if (n <= most) n
    else {
      if (n < Int.MaxValue) taken.decrementAndGet()
      leftOut.incrementAndGet()
      0
    }
  }

  /** Counts a line with a position as omitted and frees the position for another line. */
  def refused(): Unit = {
    taken.decrementAndGet()
    leftOut.incrementAndGet(): Unit
  }

  /** Counts lines with positions as omitted. */
  def leaveOut(lines: Long): Unit = leftOut.addAndGet(lines): Unit

  /** Lines omitted since the last call. */
  def takeLeftOut(): Long = if (leftOut.get == 0) 0 else leftOut.getAndSet(0)

  private def bound: Int =
    if (stage.isDefined) LogCount.MostOfStage
    else math.min(LogCount.MostOfNone + (System.nanoTime() - begun) / LogCount.Minute * LogCount.MoreAMinute, Int.MaxValue - 1L).toInt
}

private[andiron] object LogCount {
  private val MostOfStage = 50
  private val MostOfNone = 200L
  private val MoreAMinute = 2L
  private val Minute = 60000000000L
}

/** The counts of one level. Any thread may call `of`; the other methods are for one thread at a time. */
private[andiron] final class LogCounts(val level: String) {
  private val noStage = new LogCount(level, None)
  private val stages = new ConcurrentHashMap[Integer, LogCount]
  // Counts of evicted stages. A line may still be counted during the eviction, so each is read once more.
  @volatile private var retired = Set.empty[LogCount]

  def of(stage: Int): LogCount =
    if (stage == LogCounts.NoStage) noStage
    else {
      val known = stages.get(stage)
      if (known != null) known else stages.computeIfAbsent(stage, _ => new LogCount(level, Some(stage)))
    }

  /**
   * The counts that may have omitted lines. If there are too many stages, the oldest are evicted: they appear in this
   * result and in the next one.
   */
  def all(): Seq[LogCount] = {
    val found = Vector.newBuilder[LogCount]
    found += noStage
    found ++= stages.values.toArray(new Array[LogCount](0))
    found ++= retired
    retired =
      if (stages.size <= LogCounts.MostStages) Set.empty
      else stages.keySet.toArray(new Array[Integer](0)).sorted.dropRight(LogCounts.MostStages / 2).flatMap(stage => Option(stages.remove(stage))).toSet
    found.result()
  }

  /** Returns omitted lines that could not be reported, for the next report. */
  def putBack(count: LogCount, lines: Long): Unit = {
    count.leaveOut(lines)
    if (count.stage.exists(stage => stages.get(stage) ne count)) retired += count
  }
}

private[andiron] object LogCounts {
  val NoStage: Int = -1
  private val MostStages = 4000
}
