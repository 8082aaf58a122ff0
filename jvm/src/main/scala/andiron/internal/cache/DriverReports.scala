package andiron.internal.cache

import java.lang.ref.WeakReference
import java.util.concurrent.{ConcurrentHashMap, TimeUnit}

import org.apache.spark.SparkEnv
import org.slf4j.LoggerFactory

import andiron.ExecutorCacheStats

/**
 * A report from an executor to the driver.
 *
 * @param known the number of announced catalog closings that the executor has applied
 * @param isLast the executor is shutting down
 */
private[andiron] final case class ExecutorReport(executor: String, figures: Seq[(String, Long)], known: Int, isLast: Boolean) {

  /**
   * The report in JDK types only: Spark's RPC deserializes with a class loader that does not see the classes of
   * `--jars`.
   */
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

/** The driver's answer: `closed` lists the catalogs closed after the first `from`, in the order of closing. */
private[andiron] final case class ReportAnswer(from: Int, closed: Vector[String]) {

  /** The answer in JDK types only, for the same reason as a report. */
  def message: Array[String] = (from.toString +: closed).toArray
}

private[andiron] object ReportAnswer {

  /** The answer in a message; None for any other message. */
  def of(message: Any): Option[ReportAnswer] = message match {
    case Array(from: String, closed @ _*) => Some(ReportAnswer(from.toInt, closed.map(_.toString).toVector))
    case _                                => None
  }
}

/**
 * The driver's registry, one per application: the last figures of every executor, and the closed catalogs. Any thread.
 */
private[andiron] final class DriverReports(patienceNanos: Long) {
  private val env = new WeakReference(SparkEnv.get)
  private val executors = new ConcurrentHashMap[String, DriverReports.Known]
  private var closed = Vector.empty[String]

  /** Whether the application that these reports were made for still runs in this process. */
  private def isCurrent: Boolean = {
    val now = SparkEnv.get
    now != null && (env.get eq now)
  }

  def receive(report: ExecutorReport): ReportAnswer = synchronized {
    executors.put(report.executor, new DriverReports.Known(report, System.nanoTime()))
    notifyAll()
    ReportAnswer(report.known, closed.drop(report.known))
  }

  /** Marks an executor as lost or removed by Spark: its last report is final unless it reports again. */
  def end(executor: String): Unit = synchronized {
    executors.computeIfPresent(executor, (_, known) => new DriverReports.Known(known.report.copy(isLast = true), known.at))
    notifyAll()
  }

  /** Announces the closing of a catalog and returns its number. Executors learn of it with their next report. */
  def announce(uuid: String): Int = synchronized {
    closed :+= uuid
    closed.size
  }

  /**
   * Announces the closing of a catalog and waits at most `nanos` until every executor that still reports has confirmed
   * it.
   */
  def close(uuid: String, nanos: Long): Unit = synchronized {
    val number = announce(uuid)
    val end = System.nanoTime() + nanos
    var left = nanos
    while (left > 0 && unaware(number).nonEmpty) {
      wait(math.max(1L, TimeUnit.NANOSECONDS.toMillis(left)))
      left = end - System.nanoTime()
    }
    val late = unaware(number)
    if (late.nonEmpty) DriverReports.log.warn("executors {} have not confirmed that a catalog is closed; they will with their next report", late.mkString(", "))
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

  /** The reports of the application that runs in this process; None without the plugin. */
  def latest: Option[DriverReports] = made.filter(_.isCurrent)

  def latest_=(reports: Option[DriverReports]): Unit = made = reports

  /** Announces the closing of a catalog and waits at most 5 s for the executors' confirmation. */
  def closeCatalog(uuid: String): Unit = latest.foreach(_.close(uuid, CloseNanos))

  /** Announces the closing of a catalog without waiting. */
  def announceCatalog(uuid: String): Unit = latest.foreach(_.announce(uuid))

  /** Time after its last report during which an executor counts as alive, given a report interval of `interval` ms. */
  def patienceNanos(interval: Long): Long = math.max(TimeUnit.SECONDS.toNanos(10), TimeUnit.MILLISECONDS.toNanos(5 * interval))
}
