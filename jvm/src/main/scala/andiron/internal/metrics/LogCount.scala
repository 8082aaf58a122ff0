package andiron.internal.metrics

import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.atomic.{AtomicInteger, AtomicLong}

/** How many lines of one level, of one stage or of none, were handed on, and how many were not. A line costs one or two atomic operations. */
private[andiron] final class LogCount(val level: String, val stage: Option[Int]) {
  private val begun = System.nanoTime()
  private val taken = new AtomicInteger
  private val leftOut = new AtomicLong

  /** The place of a line that may be handed on, from 1; 0 if it may not, which is counted. */
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

  /** A line that had a place is not handed on; another may have the place. */
  def refused(): Unit = {
    taken.decrementAndGet()
    leftOut.incrementAndGet(): Unit
  }

  /** Lines that had a place are not handed on. */
  def leaveOut(lines: Long): Unit = leftOut.addAndGet(lines): Unit

  /** What was left out since this was asked last. */
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

/** The counts of one level. Any thread may ask for one; all else is for one thread at a time. */
private[andiron] final class LogCounts(val level: String) {
  private val noStage = new LogCount(level, None)
  private val stages = new ConcurrentHashMap[Integer, LogCount]
  // Those of stages that make room. A line may still be counted by one when it goes, so each is asked once more.
  @volatile private var retired = Set.empty[LogCount]

  def of(stage: Int): LogCount =
    if (stage == LogCounts.NoStage) noStage
    else {
      val known = stages.get(stage)
      if (known != null) known else stages.computeIfAbsent(stage, _ => new LogCount(level, Some(stage)))
    }

  /** All that may have something to tell. Of very many stages the oldest are among them this time and the next, and no more. */
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

  /** Lines that one of these has counted could not be told: it is asked again. */
  def putBack(count: LogCount, lines: Long): Unit = {
    count.leaveOut(lines)
    if (count.stage.exists(stage => stages.get(stage) ne count)) retired += count
  }
}

private[andiron] object LogCounts {
  val NoStage: Int = -1
  private val MostStages = 4000
}
