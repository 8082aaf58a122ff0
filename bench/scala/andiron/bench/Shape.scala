package andiron.bench

/**
 * The shape of a job. bench/generate.py writes the versions' files with the same numbers.
 *
 * A version is `pages` pages of 4 KiB; a page holds its stamp in the word at `Shape.wordOf(page)`. Each partition has `stripes` rows
 * of every version, in mixed order; a row reads one stripe of its version's pages, so that the rows of one partition and version
 * read every page once.
 *
 * @param rowBytes the size of the history that a row carries
 * @param work rounds of arithmetic per row
 * @param pauseMicros the average sleep of a row in place of arithmetic; a single row sleeps between half and one and a half of it
 * @param tasksPerVersion the number of partitions for the rows of a version if an approach separates versions
 */
final case class Shape(
    versions: Int,
    versionBytes: Long,
    partitions: Int,
    stripes: Int,
    rowBytes: Int,
    work: Long,
    pauseMicros: Long,
    tasksPerVersion: Int,
    seed: Long) {

  def pages: Long = versionBytes / Shape.PageBytes

  def rows: Long = partitions.toLong * versions * stripes

  /** The names of the versions in the order of their numbers, which is also the order of the names. */
  def names: IndexedSeq[String] = (0 until versions).map(Shape.name)

  /** The pages of a stripe: the first, and the end (exclusive). */
  def pagesOf(stripe: Int): (Long, Long) = (pages * stripe / stripes, pages * (stripe + 1) / stripes)

  def stamp(version: Int, page: Long): Long = Shape.mix(Shape.mix(seed + version) + page)
}

object Shape {
  val PageBytes = 4096L

  def name(version: Int): String = f"v$version%03d"

  /** The byte offset of a page's stamp in a version. */
  def wordOf(page: Long): Long = page * PageBytes + (page & 511L) * 8L

  /** The finaliser of splitmix64. */
  def mix(number: Long): Long = {
    val a = number + 0x9e3779b97f4a7c15L
    val b = (a ^ (a >>> 30)) * 0xbf58476d1ce4e5b9L
    val c = (b ^ (b >>> 27)) * 0x94d049bb133111ebL
    c ^ (c >>> 31)
  }
}
