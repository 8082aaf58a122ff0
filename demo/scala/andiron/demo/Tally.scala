package andiron.demo

import org.apache.spark.SparkContext
import org.apache.spark.util.{AccumulatorV2, LongAccumulator}

/** What the executors of a rival have loaded: loads over all of them, the most copies and bytes on any one at once. */
final case class Tally(loads: LongAccumulator, copies: Most, bytes: Most)

object Tally {
  def in(context: SparkContext): Tally = {
    val tally = Tally(new LongAccumulator, new Most, new Most)
    Seq[AccumulatorV2[_, _]](tally.loads, tally.copies, tally.bytes).foreach(context.register(_))
    tally
  }
}

/** The greatest of the numbers that tasks have added. */
final class Most extends AccumulatorV2[Long, Long] {
  private var most = 0L
  def isZero: Boolean = most == 0
  def copy(): Most = {
    val other = new Most
    other.most = most
    other
  }
  def reset(): Unit = most = 0
  def add(number: Long): Unit = most = math.max(most, number)
  def merge(other: AccumulatorV2[Long, Long]): Unit = add(other.value)
  def value: Long = most
}
