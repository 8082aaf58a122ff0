package andiron.bench

import org.apache.spark.broadcast.Broadcast
import org.apache.spark.sql.{Dataset, Encoder}
import org.apache.spark.sql.functions.{col, lit}

/** The approaches without Andiron. */
object Rivals {

  def of(name: String, job: Job): Option[Approach] = name match {
    case "none"           => Some(new NoMetadata(job))
    case "oracle"         => Some(new Oracle(job))
    case "closure"        => Some(new Held(job, (job, source) => Held.tally(job.shape, job.sorted)(new HeapCopy(source))))
    case "closure-direct" => Some(new Held(job, (job, source) => Held.tally(job.shape, job.sorted)(new DirectCopy(source))))
    case "broadcast"      => Some(new BroadcastOfAll(job))
    case "repartition"    => Some(new Held(job, (job, source) => Held.tally(job.shape, Slots.separate(job))(new DirectCopy(source))))
    case "stages"         => Some(new StagePerVersion(job))
    case "singleton"      => Some(new Held(job, (job, source) => Held.tally(job.shape, job.sorted)(version => Shared.singleton(source, version))))
    case "caffeine"       => Some(new Held(job, (job, source) => {
      val limit = job.limit
      Held.tally(job.shape, job.sorted)(new FromCaffeine(source, limit))
    }))
    case _ => None
  }

  /** The job on rows that carry the facts of their versions. */
  private final class NoMetadata(job: Job) extends Approach(job) {
    def run(): Tally = {
      val shape = job.shape
      Member.tally(job.sorted.map((row: Member) => Member.feature(shape, row, row.fact))(Member.features))
    }
  }

  /** Every version is mapped and touched in the executors before the clock starts. */
  private final class Oracle(job: Job) extends Approach(job) {
    override def prepare(): Unit = {
      val (source, names) = (job.source, job.shape.names)
      Executors.onEach(job.spark) { () => names.foreach(name => Shared.resident(source, name)) }: Unit
    }

    def run(): Tally = {
      val source = job.source
      Held.tally(job.shape, job.sorted)(version => Shared.resident(source, version))
    }
  }

  /** Every task has its own holder. */
  private final class Held(job: Job, tally: (Job, Source) => Tally) extends Approach(job) {
    def run(): Tally = tally(job, job.source)
  }

  /** A broadcast of every version, which stays in every executor that has read it. */
  private final class BroadcastOfAll(job: Job) extends Approach(job) {
    private var sent: Map[String, Broadcast[HeapPages]] = Map.empty

    def run(): Tally = {
      sent = job.shape.names.map(name => name -> job.spark.sparkContext.broadcast(HeapPages.read(job.source.file(name)))).toMap
      val versions = sent
      Held.tally(job.shape, job.sorted)(version => versions(version).value)
    }

    override def close(): Unit = sent.values.foreach(_.destroy())
  }

  /**
   * Approach 3: rows are written by version, then one job per version computes them. The tasks of a stage share its version, as with a
   * broadcast; but the executor reads it from the file, which is faster than a broadcast.
   */
  private final class StagePerVersion(job: Job) extends Approach(job) {
    private var materialise = 0.0

    def run(): Tally = {
      val started = System.nanoTime()
      Slots.separate(job).write.partitionBy("version").parquet(job.scratch)
      materialise = (System.nanoTime() - started) / 1e9
      val columns = Member.encoder.schema.fieldNames.map(name => col(name)).toIndexedSeq
      val source = job.source
      job.shape.names.map { name =>
        val rows = job.spark.read.parquet(s"${job.scratch}/version=$name").withColumn("version", lit(name))
        Held.tally(job.shape, rows.select(columns: _*).as[Member](Member.encoder))(version => Shared.ofStage(source, version))
      }.reduce(_ + _)
    }

    override def parts: Map[String, Double] = Map("materialise_s" -> materialise)

    override def close(): Unit = Executors.onEach(job.spark)(() => Shared.endStage()): Unit
  }
}

object Held {

  /** The job on `rows`, with one holder per task. */
  def tally(shape: Shape, rows: Dataset[Member])(holder: => Holder): Tally = tally(rows, shape, () => holder)

  private def tally(rows: Dataset[Member], shape: Shape, begin: () => Holder): Tally = {
    implicit val features: Encoder[Long] = Member.features
    Member.tally(rows.mapPartitions { (members: Iterator[Member]) =>
      val holder = begin()
      members.map(row => Member.feature(shape, row, holder.pages(row.version)))
    })
  }
}
