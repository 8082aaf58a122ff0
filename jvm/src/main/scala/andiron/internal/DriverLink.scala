package andiron.internal

import org.apache.spark.api.plugin.PluginContext
import org.slf4j.LoggerFactory

import andiron.{AndironException, ErrorCode}

/** Tells the driver cells of steps before their tasks end. Used by the threads of tasks. */
private[andiron] object DriverLink {
  private val Tag = "andiron cells"
  private val log = LoggerFactory.getLogger("andiron.DriverLink")
  @volatile private var plugin: Option[PluginContext] = None
  @volatile private var mayBeGated = true

  /** This process is an executor, and asks by `context`. */
  def open(context: PluginContext): Unit = plugin = Some(context)

  def close(): Unit = plugin = None

  /**
   * Tells the driver, and waits until it has taken the cells, as long as `spark.rpc.askTimeout`. If that cannot be done the task fails, so that
   * no block is stored of which a gate knows nothing; without gates it is logged once.
   */
  def tell(cells: Array[Array[Byte]]): Unit = MetricsApplication.running match {
    case Some(here) => cells.foreach(here.receive)
    case None =>
      plugin.foreach { driver =>
        try mayBeGated = driver.ask(Array[AnyRef](Tag) ++ cells) != TakenWithoutGates
        catch { case e: Exception => lost(e) }
      }
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
