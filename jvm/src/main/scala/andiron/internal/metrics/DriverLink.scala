package andiron.internal.metrics

import org.apache.spark.api.plugin.PluginContext
import org.slf4j.LoggerFactory

import andiron.{AndironException, ErrorCode}

/** Sends cells of steps to the driver before their tasks end. Used by task threads. */
private[andiron] object DriverLink {
  private val Tag = "andiron cells"
  private val EmptiedTag = "andiron emptied"
  private val MostKnown = 10000
  private val log = LoggerFactory.getLogger("andiron.DriverLink")
  @volatile private var plugin: Option[PluginContext] = None
  @volatile private var mayBeGated = true

  /** Instances and their stages of which some row is known to remain. */
  private val known = java.util.concurrent.ConcurrentHashMap.newKeySet[(Long, Int)]()

  /** Called on an executor: `context` is the connection to the driver. */
  def open(context: PluginContext): Unit = plugin = Some(context)

  def close(): Unit = plugin = None

  /**
   * Sends cells to the driver and waits at most `spark.rpc.askTimeout` until it has accepted them. On failure the task
   * fails, so that every stored block is known to the gates; without gates the failure is only logged.
   */
  def tell(cells: Array[Array[Byte]]): Unit = MetricsApplication.running match {
    case Some(here) => cells.foreach(here.receive(_): Unit)
    case None =>
      plugin.foreach { driver =>
        try driver.ask(Array[AnyRef](Tag) ++ cells) match {
          case TakenWithoutGates => mayBeGated = false
          case Taken             => mayBeGated = true
          case other             => lost(new IllegalStateException(s"the driver answers: $other"))
        } catch {
          case e: AndironException => throw e
          case e: Exception        => lost(e)
        }
      }
  }

  /**
   * Reports a partition of an instance that has dropped all of its rows or had none; the driver checks whether the
   * instance has any rows left. Returns the reason if the task must fail. An unreachable driver is logged.
   */
  def emptied(instance: Long, stage: Int, cells: => Array[Array[Byte]], question: => String): Option[String] =
    if (known.contains(instance -> stage)) None
    else {
      val answer = MetricsApplication.running match {
        case Some(here) => Emptied(question, cells.toSeq).answer(here)
        case None       => plugin.fold(AllDropped.GoOn)(driver => asked(driver, Array[AnyRef](EmptiedTag, question) ++ cells))
      }
      if (answer == AllDropped.NeverMore) {
        if (known.size > MostKnown) known.clear()
        known.add(instance -> stage): Unit
      }
      Some(answer).filter(_.startsWith(AllDropped.Fail)).map(_.stripPrefix(AllDropped.Fail))
    }

  private def asked(driver: PluginContext, message: Array[AnyRef]): String =
    try String.valueOf(driver.ask(message))
    catch {
      case e: Exception =>
        if (e.isInstanceOf[InterruptedException]) Thread.currentThread().interrupt()
        log.warn("the driver could not be asked whether a step has dropped all of its rows", e)
        AllDropped.GoOn
    }

  /** A task's question with the cells of a partition without remaining rows. */
  final case class Emptied(question: String, cells: Seq[Array[Byte]]) {
    def answer(driver: MetricsApplication): String = {
      cells.foreach(driver.receive)
      driver.allDropped.answer(question)
    }
  }

  /** The question in a message; None for any other message. */
  def emptied(message: Any): Option[Emptied] = message match {
    case Array(EmptiedTag, question: String, cells @ _*) => Some(Emptied(question, cells.collect { case cell: Array[Byte] => cell }))
    case _                                               => None
  }

  private def lost(error: Exception): Unit = {
    if (error.isInstanceOf[InterruptedException]) Thread.currentThread().interrupt()
    val what = "the driver has not accepted the counts of a partition with kept rows"
    if (mayBeGated) throw AndironException.of(ErrorCode.GateUnknown, s"$what: the task fails, since a gate could not judge its block: $error", error)
    log.warn(s"$what: later gates may judge it as unknown", error)
  }

  /** The cells in a message, in JDK types only, as in reports; None for any other message. */
  def cells(message: Any): Option[Seq[Array[Byte]]] = message match {
    case Array(Tag, cells @ _*) => Some(cells.collect { case cell: Array[Byte] => cell })
    case _                      => None
  }

  /** The driver's answers. */
  val Taken: AnyRef = "taken"
  val TakenWithoutGates: AnyRef = "taken, and no gate stands"
}
