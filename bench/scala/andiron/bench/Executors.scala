package andiron.bench

import java.lang.ref.Reference
import java.lang.management.{BufferPoolMXBean, ManagementFactory, MemoryType}

import scala.reflect.ClassTag

import org.apache.spark.SparkEnv
import org.apache.spark.sql.SparkSession

/** Work and figures in the executor processes. */
object Executors {
  private val PauseMillis = 100L
  private val GarbageBytes = 1L << 30
  private val PieceBytes = 1 << 16

  /** Runs `work` at least once in every executor; returns one result of each, by executor id. */
  def onEach[T: ClassTag](spark: SparkSession)(work: () => T): Map[String, T] = {
    val context = spark.sparkContext
    val wanted = spark.conf.get("spark.bench.executors", "1").toInt
    // As many tasks as slots at a time, so that every executor gets one.
    val tasks = context.defaultParallelism
    val found = context.parallelize(0 until tasks, tasks).mapPartitions { _ =>
      val result = SparkEnv.get.executorId -> work()
      if (wanted > 1) Thread.sleep(PauseMillis)
      Iterator.single(result)
    }.collect().toMap
    if (found.size != wanted) throw new IllegalStateException(s"${found.size} of $wanted executors answered")
    found
  }

  /** Figures of this process: milliseconds and number of collections since its start, and the peak of its heap since `reset`. */
  def here(): Map[String, Long] = {
    val collectors = beans(ManagementFactory.getGarbageCollectorMXBeans)
    val heap = beans(ManagementFactory.getMemoryPoolMXBeans).filter(_.getType == MemoryType.HEAP)
    val direct = beans(ManagementFactory.getPlatformMXBeans(classOf[BufferPoolMXBean])).filter(_.getName == "direct")
    Map(
      "gc_millis" -> collectors.map(_.getCollectionTime).sum,
      "gc_count" -> collectors.map(_.getCollectionCount).sum,
      "heap_peak_bytes" -> heap.map(_.getPeakUsage.getUsed).sum,
      "heap_committed_bytes" -> heap.map(_.getUsage.getCommitted).sum,
      "direct_bytes" -> direct.map(_.getMemoryUsed).sum)
  }

  /**
   * Touches every page of the young generation, so that its touched size is the same for all approaches; then collects the garbage
   * and resets the peaks and counts.
   */
  def reset(): Unit = {
    var left = GarbageBytes
    while (left > 0) {
      Reference.reachabilityFence(new Array[Byte](PieceBytes))
      left -= PieceBytes
    }
    System.gc()
    beans(ManagementFactory.getMemoryPoolMXBeans).foreach(_.resetPeakUsage())
    Loads.reset()
  }

  private def beans[B](list: java.util.List[B]): Seq[B] = {
    val found = Seq.newBuilder[B]
    list.forEach(bean => found += bean)
    found.result()
  }
}
