package andiron.internal.boundary

import java.lang.reflect.InvocationTargetException

import andiron.{AndironException, NativePanicException}

/** Overflows the stack by itself and does something at every depth on the way back, and counts how that ends. */
private[internal] final class Overflow(what: () => Any) {
  private var left, turn = 0
  private var overflown, typed, done = 0L
  private var other = Option.empty[Throwable]

  /** Does so `times` times on a thread of its own with a small stack, after some calls on a stack that is not full. */
  def repeat(times: Int): Unit = {
    val thread = new Thread(null, () => here(times), "overflows", Overflow.Stack)
    thread.start()
    thread.join()
  }

  /** The same on this thread. */
  def here(times: Int): Unit = {
    require(scala.runtime.BoxedUnit.UNIT != null) // a class that is initialised on a full stack stays without
    (1 to Overflow.Warm).foreach(_ => attempt())
    (1 to times).foreach(_ => down())
  }

  private def down(): Unit = {
    try down()
    catch {
      case _: StackOverflowError =>
        left = Overflow.Depths
        turn += 1
    }
    if (left > 0) {
      left -= 1
      if ((left + turn) % Overflow.Step == 0) attempt()
    }
  }

  private def attempt(): Unit =
    try {
      what()
      done += 1
    } catch {
      case e: InvocationTargetException => count(e.getCause)
      case e: Throwable                 => count(e)
    }

  private def count(thrown: Throwable): Unit = thrown match {
    case e if isOverflow(e)                                           => overflown += 1
    case e: AndironException if !e.isInstanceOf[NativePanicException] => typed += 1
    case _                                                            => other = Some(thrown)
  }

  private def isOverflow(thrown: Throwable): Boolean = thrown != null && (thrown.isInstanceOf[StackOverflowError] || isOverflow(thrown.getCause))

  /** How a call has ended that neither returned nor failed as it should. */
  def odd: Option[Throwable] = other

  /** Whether the calls overflowed the stack, and whether some returned or failed with a typed error. */
  def isMixed: Boolean = overflown > 0 && done + typed > 0

  override def toString: String = s"$done returned, $typed typed errors, $overflown stack overflows${other.fold("")(thrown => s", and $thrown")}"
}

private object Overflow {

  /** So many frames up something is done after an overflow, */
  val Depths = 300

  /** in every so-many-th, others after each overflow. */
  val Step = 15

  /** The classes that are loaded and initialised while there is enough stack. */
  val Warm = 20

  val Stack: Long = 192L << 10
}
