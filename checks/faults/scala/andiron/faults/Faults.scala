package andiron.faults

import java.nio.file.Paths

import org.apache.spark.deploy.TwoHosts

import andiron.harness.{Arguments, Json}

/**
 * Runs faults in one application and writes one line of JSON per fault: `Faults folder=... faults=a,b seed=1 hosts=one|two`.
 * checks/faults/run.py starts it and inspects its leftovers.
 */
object Faults {

  def main(arguments: Array[String]): Unit = {
    val option = Arguments.of(arguments)
    val (folder, seed) = (option("folder"), option("seed").toLong)
    val names = option("faults").split(',').toSeq
    val hosts = if (option.get("hosts").contains("two")) Some(new TwoHosts) else None
    val master = hosts.map("spark.master" -> _.url).toSeq ++ (if (hosts.isDefined) Speculation.settings else Nil)
    def begin() = new Bench(Bench.session(folder, master: _*), folder, seed)
    var bench = begin()
    try {
      names.foreach { name =>
        if (bench.spark.sparkContext.isStopped) bench = begin()
        report(folder, run(bench, Fault.named(name), seed))
      }
      if (!bench.spark.sparkContext.isStopped) report(folder, end(bench))
    } finally {
      bench.spark.stop()
      hosts.foreach(_.stop())
    }
  }

  private def run(bench: Bench, fault: Fault, seed: Long): Seq[(String, Any)] = {
    println(s"progress: ${fault.name}, seed $seed")
    val started = System.nanoTime()
    val head = Seq("fault" -> fault.name, "seed" -> seed, "master" -> bench.spark.sparkContext.master, "spark" -> bench.spark.version)
    try {
      val seen = fault.run(bench, seed)
      val figures = if (bench.spark.sparkContext.isStopped) Seq(OneProcess.nativeFigures()) else bench.settled().map(_.figures)
      def sum(name: String) = figures.map(_.getOrElse(name, 0L)).sum
      head ++ Seq(
        "digests_equal" -> (seen.digests.nonEmpty && seen.digests.forall(_ == bench.truth)), "leases_left" -> sum("leases"), "waiting_left" -> sum("waiting"),
        "attempts_left" -> sum("attempts"), "max_over_budget" -> figures.map(_.getOrElse("maxOverBudgetBytes", 0L)).max,
        "over_budget_admissions" -> sum("overBudgetAdmissions"), "wall_ms" -> (System.nanoTime() - started) / 1000000) ++ seen.observed
    } catch {
      case t: Throwable =>
        t.printStackTrace()
        head :+ ("error" -> t.toString)
    }
  }

  /** The bytes left after the last fault, once the catalogs are closed. */
  private def end(bench: Bench): Seq[(String, Any)] = {
    bench.close()
    val probes = bench.settled()
    def sum(name: String) = probes.map(_.apply(name)).sum
    Seq("fault" -> "end", "resident_after_close" -> sum("residentBytes"), "reserved_after_close" -> sum("reservedBytes"))
  }

  private def report(folder: String, facts: Seq[(String, Any)]): Unit = Json.append(Paths.get(folder, "results.jsonl"), facts)
}
