package andiron.chaos

/** Numbers that follow from their names: the same in the driver, in every executor and in every attempt. */
object Draw {
  def apply(names: Long*): Long = names.foldLeft(0x9E3779B97F4A7C15L) { (before, next) =>
    var mixed = (before ^ next) * 0xBF58476D1CE4E5B9L
    mixed = (mixed ^ (mixed >>> 27)) * 0x94D049BB133111EBL
    mixed ^ (mixed >>> 31)
  } & Long.MaxValue
}

/** The choices of one seed, on the driver. */
final class Choices(seed: Long) {
  private var at = 0L

  def below(n: Int): Int = {
    at += 1
    (Draw(seed, at) % n).toInt
  }

  def of[A](all: A*): A = all(below(all.size))
  def oneIn(n: Int): Boolean = below(n) == 0
}
