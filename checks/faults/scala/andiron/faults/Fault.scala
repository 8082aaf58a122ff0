package andiron.faults

/**
 * The observations of a fault: the results of the job before, during and after it.
 *
 * @param digests the digests of all runs of the job; at least one, and all equal to that of the run without a fault
 * @param observed the evidence that the fault took place
 */
final case class Seen(digests: Seq[String], observed: Seq[(String, Any)])

/** One kind of fault. `run` throws if the fault did not occur as intended, or if Andiron's response is wrong. */
trait Fault {
  def name: String
  def run(bench: Bench, seed: Long): Seen
}

object Fault {

  /** All kinds of faults; the order is irrelevant. */
  def all: Seq[Fault] = NoFault +: (TaskFaults.all ++ Cancels.all ++ Kills.all ++ Seq(LateReaders, Speculation, DiskFull) ++ OneProcess.all ++ BadInput.all)

  def named(name: String): Fault =
    all.find(_.name == name).getOrElse(throw new IllegalArgumentException(s"no fault $name; there are ${all.map(_.name).mkString(", ")}"))

  def apply(title: String)(body: (Bench, Long) => Seen): Fault = new Fault {
    override def name: String = title
    override def run(bench: Bench, seed: Long): Seen = body(bench, seed)
  }

  def require(condition: Boolean, what: => String): Unit = if (!condition) throw new IllegalStateException(what)
}

/** The job without a fault, with bytes and with objects. */
object NoFault extends Fault {
  override def name: String = "none"
  override def run(bench: Bench, seed: Long): Seen = Seen(Seq(bench.digest(), bench.objectDigest()), Seq.empty)
}
