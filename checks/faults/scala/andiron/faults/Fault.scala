package andiron.faults

/**
 * A fault, and the results of the job before, under and after it.
 *
 * @param digests every digest that the job had; there must be one, and all must be that of the run without a fault
 * @param observed the evidence that the fault took place
 */
final case class Seen(digests: Seq[String], observed: Seq[(String, Any)])

/** One kind of fault. `run` throws if the fault did not take place as it should, or was answered in the wrong way. */
trait Fault {
  def name: String
  def run(bench: Bench, seed: Long): Seen
}

object Fault {

  /** Every kind, in no order that matters. */
  def all: Seq[Fault] = NoFault +: (TaskFaults.all ++ Cancels.all ++ Kills.all ++ Seq(LateReaders, Speculation, DiskFull) ++ OneProcess.all ++ BadInput.all)

  def named(name: String): Fault =
    all.find(_.name == name).getOrElse(throw new IllegalArgumentException(s"no fault $name; there are ${all.map(_.name).mkString(", ")}"))

  def apply(title: String)(body: (Bench, Long) => Seen): Fault = new Fault {
    override def name: String = title
    override def run(bench: Bench, seed: Long): Seen = body(bench, seed)
  }

  def require(condition: Boolean, what: => String): Unit = if (!condition) throw new IllegalStateException(what)
}

/** The job without any fault, by bytes and by objects. */
object NoFault extends Fault {
  override def name: String = "none"
  override def run(bench: Bench, seed: Long): Seen = Seen(Seq(bench.digest(), bench.objectDigest()), Seq.empty)
}
