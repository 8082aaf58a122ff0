package andiron.internal.metrics

import org.apache.spark.api.plugin.PluginContext
import org.slf4j.LoggerFactory

import andiron.{AndironException, ErrorCode}

/** Tells the driver cells of steps before their tasks end. Used by the threads of tasks. */
private[andiron] object DriverLink {
  private val Tag = "andiron cells"
  private val EmptiedTag = "andiron emptied"
  private val MostKnown = 10000
  private val log = LoggerFactory.getLogger("andiron.DriverLink")
  @volatile private var plugin: Option[PluginContext] = None
  @volatile private var mayBeGated = true

  /** Instances, with the stage, of which some row is known to be left. */
  private val known = java.util.concurrent.ConcurrentHashMap.newKeySet[(Long, Int)]()

  /** This process is an executor, and asks by `context`. */
  def open(context: PluginContext): Unit = plugin = Some(context)

  def close(): Unit = plugin = None

  /**
   * Tells the driver, and waits until it has taken the cells, as long as `spark.rpc.askTimeout`. If that cannot be done the task fails, so that
   * no block is stored of which a gate knows nothing; without gates it is logged once.
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
   * A partition of an instance has dropped all of its rows, or had none: the driver looks whether any is left of the instance. Gives why the task
   * must fail, if it must. A driver that cannot be reached is logged.
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

  /** What a task asks of its cells. */
  final case class Emptied(question: String, cells: Seq[Array[Byte]]) {
    def answer(driver: MetricsApplication): String = {
      cells.foreach(driver.receive)
      driver.allDropped.answer(question)
    }
  }

  /** What a task asks by a message; None for any other message. */
  def emptied(message: Any): Option[Emptied] = message match {
    case Array(EmptiedTag, question: String, cells @ _*) => Some(Emptied(question, cells.collect { case cell: Array[Byte] => cell }))
    case _                                               => None
  }

  private def lost(error: Exception): Unit = {
    if (error.isInstanceOf[InterruptedException]) Thread.currentThread().interrupt()
    val what = "the driver has not taken the counts of a partition whose rows are kept"
    if (mayBeGated) throw AndironException.of(ErrorCode.GateUnknown, s"$what: the task fails, since a gate could not judge its block: $error", error)
    log.warn(s"$what: gates that are made later may call it unknown", error)
  }

  /** The cells in a message; None for any other message. In types of the JDK only, as a report. */
  def cells(message: Any): Option[Seq[Array[Byte]]] = message match {
    case Array(Tag, cells @ _*) => Some(cells.collect { case cell: Array[Byte] => cell })
    case _                      => None
  }

  /** The driver's answers. */
  val Taken: AnyRef = "taken"
  val TakenWithoutGates: AnyRef = "taken, and no gate stands"
}
