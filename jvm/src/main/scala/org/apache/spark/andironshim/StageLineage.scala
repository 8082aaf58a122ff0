package org.apache.spark.andironshim

import org.apache.spark.scheduler.StageInfo
import org.apache.spark.storage.RDDInfo

/**
 * An RDD whose rows may come from persisted blocks or a checkpoint. `tells`: a task that reads such a block counts it
 * as input.
 */
final case class CachedRdd(rdd: Int, tells: Boolean)

/** Facts about the RDDs of a stage. */
object StageLineage {
  private val Checkpoints = Set("ReliableCheckpointRDD", "LocalCheckpointRDD")

  /** The operation that created an RDD; empty if unknown. */
  def operation(rdd: RDDInfo): String =
    try rdd.scope.fold("")(_.name)
    catch { case _: LinkageError => "" }

  /**
   * The persisted RDDs of a stage and the RDDs whose parents a checkpoint has replaced. An empty block on disk, or of
   * serialized rows, has no bytes, so reading it is not counted as input.
   */
  def caches(stage: StageInfo): Seq[CachedRdd] = {
    val checkpoints = stage.rddInfos.iterator.filter(rdd => rdd.parentIds.isEmpty && Checkpoints(rdd.name)).map(_.id).toSet
    stage.rddInfos.flatMap { rdd =>
      val level = rdd.storageLevel
      if (rdd.parentIds.exists(checkpoints)) Some(CachedRdd(rdd.id, tells = false))
      else if (level.isValid) Some(CachedRdd(rdd.id, level.deserialized && level.useMemory && !level.useDisk && !level.useOffHeap))
      else None
    }
  }
}
