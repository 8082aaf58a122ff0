package andiron.demo

import org.apache.spark.sql.Dataset
import org.apache.spark.sql.functions.{col, udf}
import org.apache.spark.unsafe.hash.Murmur3_x86_32

/**
 * Repartitions flights by version so that each partition holds one version, and each version has `PerVersion` partitions:
 * the talk's "R1A, R1B". Spark chooses a row's partition by a hash, so rows carry a number that hashes to the wanted one.
 */
object Slots {
  val PerVersion = 2

  def repartition(flights: Dataset[Flight], versions: Seq[String]): Dataset[Flight] = {
    val count = versions.size * PerVersion
    val numbers = (0 until count).map(number(_, count)).toArray
    val first = versions.zipWithIndex.map { case (version, i) => version -> i * PerVersion }.toMap
    val slot = udf((version: String, id: Int) => numbers(first(version) + id % PerVersion))
    flights.withColumn("slot", slot(col("version"), col("id")))
      .repartition(count, col("slot")).drop("slot").as[Flight](Rows.flightEncoder)
  }

  /** The smallest number that Spark's hash partitioning puts into `partition` of `count`. */
  private def number(partition: Int, count: Int): Int =
    Iterator.from(0).find(i => Math.floorMod(Murmur3_x86_32.hashInt(i, 42), count) == partition).get
}
