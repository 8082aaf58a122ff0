package andiron.bench.metrics

import org.apache.spark.andironshim.{BenchBus, BenchListeners, Gathering, MetricsInternals, MetricsListener}
import org.apache.spark.scheduler.SparkListenerTaskEnd
import org.apache.spark.sql.SparkSession
import org.apache.spark.util.LongAccumulator

import andiron.bench.Options
import andiron.internal.metrics.MetricsApplication

/**
 * Andiron's listener, the stage listener of sparkMeasure and a listener that does nothing, each with its own queue: with a stream of prepared
 * task ends, and in a job. The task ends have Spark's own accumulators of a task of the job.
 */
object Listeners {

  def run(spark: SparkSession, options: Options): Seq[Map[String, Any]] = {
    val context = spark.sparkContext
    val accumulators = (0 until options.int("accumulators")).map(i => context.longAccumulator(s"acc $i"))
    val listeners = new Listeners(spark, accumulators, options)
    listeners.warmUp()
    val streams = for (turn <- 0 until options.int("turns"); record <- listeners.streams(turn)) yield record + ("turn" -> turn)
    val jobs = for (turn <- 0 until options.int("job_turns"); record <- listeners.job(turn)) yield record + ("turn" -> turn)
    streams ++ jobs
  }

  val Names: Seq[String] = Seq("nothing", "sparkmeasure", "andiron")
}

private final class Listeners(spark: SparkSession, accumulators: Seq[LongAccumulator], options: Options) {
  private val context = spark.sparkContext
  private val tasks = options.int("tasks")
  private val rounds = options.int("rounds")
  private val models: Seq[SparkListenerTaskEnd] = BenchListeners.ends(context)(count(500))
  private val ends = BenchListeners.stream(models, options.int("stream"))
  private var stages = 1000000

  private def count(tasks: Int): Unit = {
    val all = accumulators
    context.parallelize(0 until tasks, tasks).foreach(n => all.foreach(_.add(n.toLong)))
  }

  /** @param bus the bus that gets this listener only */
  private def make(name: String, bus: => BenchBus): BenchListeners.Listener = name match {
    case "nothing"      => new BenchListeners.Nothing
    case "sparkmeasure" => ofStages()
    case _              => new MetricsListener(MetricsApplication.of(context).get, Some(new Gathering(0, bus.waiting)))
  }

  /** The stage listener of sparkMeasure, without accumulables and executor metrics, as in its stage mode. By reflection: it does not exist for Scala 2.13. */
  private def ofStages(): BenchListeners.Listener =
    Class.forName("ch.cern.sparkmeasure.StageInfoRecorderListener").getConstructor(classOf[Boolean], classOf[Array[String]])
      .newInstance(Boolean.box(false), Array.empty[String]).asInstanceOf[BenchListeners.Listener]

  private def inTurn(turn: Int): Seq[String] = {
    val first = turn % Listeners.Names.size
    Listeners.Names.drop(first) ++ Listeners.Names.take(first)
  }

  def warmUp(): Unit = {
    for (turn <- 0 until 6; filled <- Seq(false, true); name <- inTurn(turn)) stream(name, filled)
    count(tasks)
  }

  /** The rate of each listener with a queue that is filled while it is read, and with a queue that is filled before. */
  def streams(turn: Int): Seq[Map[String, Any]] =
    for (filled <- Seq(false, true); name <- inTurn(turn)) yield stream(name, filled)

  private def stream(name: String, filled: Boolean): Map[String, Any] = {
    val events = rounds * ends.length
    lazy val bus: BenchBus = new BenchBus(context, make(name, bus), events + rounds + 1)
    if (filled) bus.hold()
    val posting = System.nanoTime()
    var round = 0
    while (round < rounds) {
      stages += 1
      bus.post(BenchListeners.stage(context, stages, ends.length, models.head))
      var i = 0
      while (i < ends.length) {
        bus.post(BenchListeners.end(stages, ends(i), models.head))
        i += 1
      }
      round += 1
    }
    val reading = if (filled) System.nanoTime() else posting
    val before = if (filled) ThreadCpu.ofQueue(BenchBus.Queue) else 0L
    bus.release()
    bus.drain()
    val seconds = (System.nanoTime() - reading) / 1e9
    val cpu = ThreadCpu.ofQueue(BenchBus.Queue) - before
    val dropped = bus.dropped
    bus.stop()
    Map("what" -> (if (filled) "filled" else "stream"), "listener" -> name, "events" -> events, "seconds" -> seconds, "cpu_ns" -> cpu,
      "dropped" -> dropped, "accumulables" -> models.head.taskInfo.accumulables.size)
  }

  /** One job for all listeners at once. Andiron's listener is that of the application. */
  def job(turn: Int): Seq[Map[String, Any]] = {
    val others = inTurn(turn).filter(_ != "andiron").map(name => name -> make(name, throw new IllegalStateException(name)))
    others.foreach { case (name, listener) => BenchListeners.add(context, listener, name) }
    BenchListeners.drain(context)
    val queues = others.map(_._1) :+ MetricsInternals.Queue
    val (cpu, dropped) = (queues.map(ThreadCpu.ofQueue), queues.map(BenchListeners.dropped(context, _)))
    val started = System.nanoTime()
    count(tasks)
    val seconds = (System.nanoTime() - started) / 1e9
    BenchListeners.drain(context)
    val records = queues.indices.map { i =>
      Map[String, Any]("what" -> "job", "listener" -> queues(i), "events" -> tasks, "seconds" -> seconds,
        "cpu_ns" -> (ThreadCpu.ofQueue(queues(i)) - cpu(i)), "dropped" -> (BenchListeners.dropped(context, queues(i)) - dropped(i)))
    }
    others.foreach { case (_, listener) => BenchListeners.remove(context, listener) }
    records
  }
}
