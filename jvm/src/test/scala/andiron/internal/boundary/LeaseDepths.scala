package andiron.internal.boundary

import java.nio.file.Paths

import andiron._
import andiron.testing.Sparks

/**
 * A program that overflows the stack and leases at every depth on the way back, in a task and outside any:
 * `LeaseDepths <directory> <overflows>`. Afterwards nothing is leased and no attempt is left.
 */
object LeaseDepths {
  def main(arguments: Array[String]): Unit = {
    val (directory, overflows) = (Paths.get(arguments(0)), arguments(1).toInt)
    val spark = Sparks.start("local[1]", "spark.plugins" -> "andiron.AndironPlugin", "spark.local.dir" -> directory.resolve("local").toString)
    val versions = Seq("v1", "v2").map(name => Version(name, Sparks.source(directory, name, s"bytes of $name")))
    val catalog = VersionedData.catalog(spark, "depths", versions, Loader.bytes)
    def use(name: String): () => Any = name match {
      case "lease"      => () => catalog.lease("v1").close()
      case "cursor"     => () => { val cursor = catalog.cursor(); try cursor.advance("v2") finally cursor.close() }
      case "acquireAll" => () => catalog.acquireAll("v1", "v2").close()
    }
    val uses = Seq("lease", "cursor", "acquireAll")
    for (name <- uses) report(name, new Overflow(() => use(name)()))(_.repeat(overflows))
    for (name <- uses)
      spark.sparkContext.parallelize(Seq(0), 1).foreach(_ => report(s"$name in a task", new Overflow(() => use(name)()))(_.here(overflows / 10)))
    def left = {
      System.gc()
      Seq("attempts", "cursors", "leases").map(name => name -> Sparks.stats(spark).figures.getOrElse(name, 0L)).filter(_._2 != 0)
    }
    Sparks.eventually(s"nothing is left: $left")(left.isEmpty)
    println("done")
    Runtime.getRuntime.halt(0)
  }

  private def report(name: String, overflow: Overflow)(run: Overflow => Unit): Unit = {
    run(overflow)
    println(s"$name: $overflow")
    overflow.odd.foreach(throw _)
  }
}
