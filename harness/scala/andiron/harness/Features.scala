package andiron.harness

import java.security.MessageDigest

/** The features of rows whose versions consist of longs: the same on executors, on the driver and in checks/cluster/content.py. */
object Features {

  /** The finaliser of SplitMix64, a bijection. */
  def mix(x: Long): Long = {
    val a = (x ^ (x >>> 30)) * 0xbf58476d1ce4e5b9L
    val b = (a ^ (a >>> 27)) * 0x94d049bb133111ebL
    b ^ (b >>> 31)
  }

  /** The row's id and the sum of eight of its version's `longs` numbers, which the id chooses. */
  def of(id: Long, longs: Long)(at: Long => Long): Long = {
    var sum = id
    for (k <- 0L until 8L) sum += at(Math.floorMod(mix(id * 8 + k), longs))
    sum
  }

  /** SHA-256 of the rows as `id,feature` lines in the order of their ids. */
  def digest(rows: Seq[(Long, Long)]): String = {
    val sha = MessageDigest.getInstance("SHA-256")
    rows.sorted.foreach { case (id, value) => sha.update(s"$id,$value\n".getBytes("UTF-8")) }
    sha.digest().map(b => f"$b%02x").mkString
  }
}
