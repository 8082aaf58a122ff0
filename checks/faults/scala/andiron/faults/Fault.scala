package andiron.faults

/**
 * The observations of a fault: the results of the job before, during and after it.
 *
 * @param digests the digests of all runs of the job; at least one, and all equal to that of the run without a fault
 * @param observed the evidence that the fault took place
 */
final case class Seen(digests: Seq[String], observed: Seq[(String, Any)])

/** One kind of fault. `run` throws if the fault did not occur as intended, or if Andiron's response is wrong. */
final case class Fault(name: String)(val run: (Bench, Long) => Seen)

object Fault {

  /** The job without a fault, with bytes and with objects. */
  private val none = Fault("none")((bench, _) => Seen(Seq(bench.digest(), bench.objectDigest()), Seq.empty))

  /** All kinds of faults; the order is irrelevant. */
  def all: Seq[Fault] = none +: (TaskFaults.all ++ Cancels.all ++ Kills.all ++ Seq(LateReaders.fault, Speculation.fault, DiskFull.fault) ++ OneProcess.all ++ BadInput.all)

  def named(name: String): Fault =
    all.find(_.name == name).getOrElse(throw new IllegalArgumentException(s"no fault $name; there are ${all.map(_.name).mkString(", ")}"))

  def require(condition: Boolean, what: => String): Unit = if (!condition) throw new IllegalStateException(what)
}
