package andiron.internal.cache

import java.lang.ref.WeakReference
import java.util.concurrent.{ConcurrentHashMap, TimeUnit}

import org.apache.spark.SparkEnv
import org.slf4j.LoggerFactory

import andiron.ExecutorCacheStats

/**
 * What an executor tells the driver.
 *
 * @param known the number of closed catalogs that the executor has been told of and has closed
 * @param isLast the executor is shutting down
 */
private[andiron] final case class ExecutorReport(executor: String, figures: Seq[(String, Long)], known: Int, isLast: Boolean) {

  /** In types of the JDK only: Spark's RPC reads with a class loader that does not see the classes of `--jars`. */
  def message: Array[AnyRef] =
    Array(ExecutorReport.Tag, executor, figures.map(_._1).toArray, figures.map(_._2).toArray, Int.box(known), Boolean.box(isLast))
}

private[andiron] object ExecutorReport {
  private val Tag = "andiron report"

  /** The report in a message; None for any other message. */
  def of(message: Any): Option[ExecutorReport] = message match {
    case Array(Tag, executor: String, names: Array[String], values: Array[Long], known: Integer, isLast: java.lang.Boolean) =>
      Some(ExecutorReport(executor, names.toSeq.zip(values), known, isLast))
    case _ => None
  }
}

/** The driver's answer: `closed` are the catalogs number `from` and following, in the order of their closing. */
private[andiron] final case class ReportAnswer(from: Int, closed: Vector[String]) {

  /** In types of the JDK only, as a report. */
  def message: Array[String] = (from.toString +: closed).toArray
}

private[andiron] object ReportAnswer {

  /** The answer in a message; None for any other message. */
  def of(message: Any): Option[ReportAnswer] = message match {
    case Array(from: String, closed @ _*) => Some(ReportAnswer(from.toInt, closed.map(_.toString).toVector))
    case _                                => None
  }
}

/** On the driver, one per application: the last figures of every executor, and which catalogs are closed. Any thread. */
private[andiron] final class DriverReports(patienceNanos: Long) {
  private val env = new WeakReference(SparkEnv.get)
  private val executors = new ConcurrentHashMap[String, DriverReports.Known]
  private var closed = Vector.empty[String]

  /** Whether the application that they were made for still runs in this process. */
  private def isCurrent: Boolean = {
    val now = SparkEnv.get
    now != null && (env.get eq now)
  }

  def receive(report: ExecutorReport): ReportAnswer = synchronized {
    executors.put(report.executor, new DriverReports.Known(report, System.nanoTime()))
    notifyAll()
    ReportAnswer(report.known, closed.drop(report.known))
  }

  /** Notes that Spark has lost or removed an executor: its last report is its final one, unless it reports again. */
  def end(executor: String): Unit = synchronized {
    executors.computeIfPresent(executor, (_, known) => new DriverReports.Known(known.report.copy(isLast = true), known.at))
    notifyAll()
  }

  /** Announces the end of a catalog; executors learn of it when they report. Gives its number. */
  def announce(uuid: String): Int = synchronized {
    closed :+= uuid
    closed.size
  }

  /** Announces the end of a catalog and waits until every executor that still reports has confirmed it, at most `nanos`. */
  def close(uuid: String, nanos: Long): Unit = synchronized {
    val number = announce(uuid)
    val end = System.nanoTime() + nanos
    var left = nanos
    while (left > 0 && unaware(number).nonEmpty) {
      wait(math.max(1L, TimeUnit.NANOSECONDS.toMillis(left)))
      left = end - System.nanoTime()
    }
    val late = unaware(number)
    if (late.nonEmpty) DriverReports.log.warn("executors {} have not confirmed the end of a catalog; they will when they report again", late.mkString(", "))
  }

  private def unaware(number: Int): Seq[String] = {
    var late = Seq.empty[String]
    executors.forEach { (id, known) =>
      val isAlive = !known.report.isLast && System.nanoTime() - known.at < patienceNanos
      if (isAlive && known.report.known < number) late :+= id
    }
    late.sorted
  }

  /** The last figures of every executor that has reported. */
  def stats: Seq[ExecutorCacheStats] = {
    var all = Seq.empty[ExecutorCacheStats]
    executors.forEach((id, known) => all :+= ExecutorCacheStats(id, known.report.figures.toMap, known.report.isLast))
    all.sortBy(_.executor)
  }
}

private[andiron] object DriverReports {
  private final class Known(val report: ExecutorReport, val at: Long)

  private val log = LoggerFactory.getLogger(classOf[DriverReports])

  private val CloseNanos = TimeUnit.SECONDS.toNanos(5)

  @volatile private var made: Option[DriverReports] = None

  /** Those of the application that runs in this process; none without the plugin. */
  def latest: Option[DriverReports] = made.filter(_.isCurrent)

  def latest_=(reports: Option[DriverReports]): Unit = made = reports

  /** Announces the end of a catalog and waits for it, at most 5 s. */
  def closeCatalog(uuid: String): Unit = latest.foreach(_.close(uuid, CloseNanos))

  /** Announces the end of a catalog without waiting. */
  def announceCatalog(uuid: String): Unit = latest.foreach(_.announce(uuid))

  /** How long after its last report an executor counts as alive, if executors report every `interval` ms. */
  def patienceNanos(interval: Long): Long = math.max(TimeUnit.SECONDS.toNanos(10), TimeUnit.MILLISECONDS.toNanos(5 * interval))
}
