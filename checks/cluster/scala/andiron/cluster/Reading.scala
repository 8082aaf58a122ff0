package andiron.cluster

import java.security.MessageDigest

import andiron.Bytes


/** What a row reads of its version, whose bytes are little-endian long numbers. checks/cluster/content.py computes the same. */
object Reading {

  /** The finaliser of SplitMix64. */
  private def mix(x: Long): Long = {
    val a = (x ^ (x >>> 30)) * 0xbf58476d1ce4e5b9L
    val b = (a ^ (a >>> 27)) * 0x94d049bb133111ebL
    b ^ (b >>> 31)
  }

  /** The row's id and the sum of eight numbers that it chooses. */
  def cells(id: Long, bytes: Bytes): Long = {
    var sum = id
    for (k <- 0L until 8L) sum += bytes.getLong(Math.floorMod(mix(id * 8 + k), bytes.size / 8) * 8)
    sum
  }

  /** The row's id and the sum of all numbers. */
  def all(id: Long, bytes: Bytes): Long = {
    val end = bytes.size / 8 * 8
    var (sum, at) = (id, 0L)
    while (at < end) {
      sum += bytes.getLong(at)
      at += 8
    }
    sum
  }

  /** SHA-256 of the rows in the order of their ids, as `id,feature` lines. */
  def digest(rows: Seq[(Long, Long)]): String = {
    val sha = MessageDigest.getInstance("SHA-256")
    rows.sorted.foreach { case (id, value) => sha.update(s"$id,$value\n".getBytes("UTF-8")) }
    sha.digest().map(b => f"$b%02x").mkString
  }
}
