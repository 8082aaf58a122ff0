package andiron.bench

import org.apache.spark.sql.Dataset
import org.apache.spark.sql.functions.{col, udf}
import org.apache.spark.unsafe.hash.Murmur3_x86_32

/** Repartitions rows so that each partition has one version and each version `tasksPerVersion` partitions: the talk's R1A and R1B. */
object Slots {

  def separate(job: Job): Dataset[Member] = {
    val each = job.shape.tasksPerVersion
    val count = job.shape.versions * each
    val numbers = (0 until count).map(number(_, count)).toArray
    val perPartition = job.shape.rows / job.shape.partitions
    val slot = udf((version: Int, id: Long, stripe: Int) => numbers(version * each + ((id / perPartition + stripe) % each).toInt))
    job.members.withColumn("slot", slot(col("number"), col("id"), col("stripe")))
      .repartition(count, col("slot")).drop("slot").as[Member](Member.encoder)
  }

  /** The smallest number that Spark's hash partitioning assigns to `partition` of `count`. */
  private def number(partition: Int, count: Int): Int =
    Iterator.from(0).find(i => Math.floorMod(Murmur3_x86_32.hashInt(i, 42), count) == partition).get
}
