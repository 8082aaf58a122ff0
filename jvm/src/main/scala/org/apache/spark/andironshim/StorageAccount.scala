package org.apache.spark.andironshim

import java.util.concurrent.atomic.AtomicLong

import scala.util.control.NonFatal

import org.apache.spark.SparkEnv
import org.apache.spark.memory.MemoryMode
import org.apache.spark.storage.BroadcastBlockId
import org.slf4j.LoggerFactory

/**
 * Andiron's charge to Spark's storage memory, so that Spark plans without this memory. Charging may evict the user's
 * cached blocks, so no lock may be held. A refusal is only counted.
 */
final class StorageAccount private (env: SparkEnv, hasOffHeap: Boolean, isOn: Boolean) {
  private val block = BroadcastBlockId(Long.MaxValue, "andiron")
  private val refused = new AtomicLong
  @volatile private var offHeap = 0L
  @volatile private var onHeap = 0L
  private var wantedOffHeap = 0L
  private var wantedOnHeap = 0L

  /** The current charge in bytes. */
  def charged: Long = offHeap + onHeap

  /** Number of refusals by Spark. */
  def refusals: Long = refused.get

  /**
   * Adjusts the charge to the current residency: `bytes` off the heap and `objects` on the heap, both in bytes. For one
   * thread.
   */
  def settle(bytes: Long, objects: Long): Unit = if (isOn) {
    if (hasOffHeap) {
      offHeap = adjust(offHeap, bytes, wantedOffHeap, MemoryMode.OFF_HEAP)
      wantedOffHeap = bytes
    }
    onHeap = adjust(onHeap, objects, wantedOnHeap, MemoryMode.ON_HEAP)
    wantedOnHeap = objects
  }

  /** The new charge. A repeated refusal of the same amount is counted once. */
  private def adjust(now: Long, wanted: Long, before: Long, mode: MemoryMode): Long = {
    val memory = env.memoryManager
    if (wanted < now) {
      memory.releaseStorageMemory(now - wanted, mode)
      wanted
    } else if (wanted > now) {
      if (memory.acquireStorageMemory(block, wanted - now, mode)) wanted
      else {
        if (wanted != before) refused.incrementAndGet()
        now
      }
    } else now
  }
}

object StorageAccount {
  private val log = LoggerFactory.getLogger(classOf[StorageAccount])

  /** The account of this process; one that is off if this Spark lacks the required API. */
  def open(env: SparkEnv): StorageAccount =
    try {
      // From Spark 4.0 on, the store is created on first access; the memory manager cannot evict before that.
      if (env.blockManager.memoryStore == null) throw new IllegalStateException("there is no memory store")
      val probe = BroadcastBlockId(Long.MaxValue, "andiron-probe")
      if (env.memoryManager.acquireStorageMemory(probe, 1L, MemoryMode.ON_HEAP)) env.memoryManager.releaseStorageMemory(1L, MemoryMode.ON_HEAP)
      new StorageAccount(env, env.conf.getBoolean("spark.memory.offHeap.enabled", defaultValue = false), isOn = true)
    } catch {
      case e @ (_: LinkageError | NonFatal(_)) =>
        log.warn("Andiron's memory is not charged to Spark's: this Spark has a different memory manager", e)
        off
    }

  /** An account that charges nothing. */
  def off: StorageAccount = new StorageAccount(null, hasOffHeap = false, isOn = false)
}
