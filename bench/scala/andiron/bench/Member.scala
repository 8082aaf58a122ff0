package andiron.bench

import java.util.concurrent.TimeUnit

import org.apache.spark.sql.{Dataset, Encoder, Encoders, SparkSession}

/**
 * One row.
 *
 * @param fact the sum of the stamps of the row's stripe, for the job without metadata
 */
final case class Member(id: Long, version: String, number: Int, stripe: Int, fact: Long, history: Array[Byte])

/** The result of a job: the number of its rows, and a digest of their features that is independent of the order. */
final case class Tally(rows: Long, digest: Long) {
  def +(other: Tally): Tally = Tally(rows + other.rows, digest + other.digest)
}

object Member {
  val encoder: Encoder[Member] = Encoders.product[Member]
  val features: Encoder[Long] = Encoders.scalaLong

  /** The unsorted rows in `shape.partitions` partitions, each with all versions. */
  def all(spark: SparkSession, shape: Shape): Dataset[Member] =
    spark.range(0L, shape.rows, 1L, shape.partitions).map((id: java.lang.Long) => make(shape, id))(encoder)

  private def make(shape: Shape, id: Long): Member = {
    val perPartition = shape.versions.toLong * shape.stripes
    val place = Math.floorMod(id * step(perPartition) + id / perPartition, perPartition)
    val number = (place % shape.versions).toInt
    val stripe = (place / shape.versions).toInt
    val (from, until) = shape.pagesOf(stripe)
    var fact = 0L
    var page = from
    while (page < until) {
      fact += shape.stamp(number, page)
      page += 1
    }
    Member(id, Shape.name(number), number, stripe, fact, history(shape, id))
  }

  /** A number coprime to `count`, so that its multiples visit every place once. */
  private def step(count: Long): Long =
    Iterator.iterate(count * 5 / 8 + 1)(_ + 1).find(n => BigInt(n).gcd(BigInt(count)) == 1).get

  private def history(shape: Shape, id: Long): Array[Byte] = {
    val bytes = new Array[Byte](shape.rowBytes)
    var word = shape.seed ^ id
    var i = 0
    while (i < bytes.length) {
      if ((i & 7) == 0) word = Shape.mix(word)
      bytes(i) = (word >>> ((i & 7) * 8)).toByte
      i += 1
    }
    bytes
  }

  /** The row's feature, computed from the pages of its version. Throws if the pages belong to another version. */
  def feature(shape: Shape, row: Member, pages: Pages): Long = {
    val (from, until) = shape.pagesOf(row.stripe)
    var sum = 0L
    var page = from
    while (page < until) {
      sum += pages.long(Shape.wordOf(page))
      page += 1
    }
    if (sum != row.fact)
      throw new IllegalStateException(s"row ${row.id} found $sum in stripe ${row.stripe} of ${row.version}, not ${row.fact}")
    feature(shape, row, sum)
  }

  /** The row's feature, computed from the row and the sum `found` of its stripe. */
  def feature(shape: Shape, row: Member, found: Long): Long = {
    Loads.uses(row.version)
    var value = found ^ java.util.Arrays.hashCode(row.history)
    var i = 0L
    while (i < shape.work) {
      value = Shape.mix(value + i)
      i += 1
    }
    if (shape.pauseMicros > 0) {
      val share = (Shape.mix(row.id ^ shape.seed) >>> 11).toDouble / (1L << 53)
      TimeUnit.MICROSECONDS.sleep((shape.pauseMicros * (0.5 + share)).toLong)
    }
    Shape.mix(value ^ row.id)
  }

  /** Runs the job that computes `features`. */
  def tally(features: Dataset[Long]): Tally = {
    val sums = features.mapPartitions { (found: Iterator[Long]) =>
      Iterator.single(found.foldLeft(Tally(0, 0))((sum, feature) => sum + Tally(1, Shape.mix(feature))))
    }(Encoders.product[Tally])
    sums.collect().foldLeft(Tally(0, 0))(_ + _)
  }
}
