package andiron.chaos

import andiron.testing.MetricsSparks.files
import andiron.{Andiron, ErrorCode, Gate}

import org.apache.spark.TaskContext
import org.apache.spark.rdd.RDD
import org.apache.spark.sql.{Dataset, Encoder, Encoders}
import org.apache.spark.sql.functions.col
import org.apache.spark.storage.StorageLevel

/** A pipeline of random operators, and the ids of the rows that are in it. Nothing of the truth is computed by Spark. */
abstract class ChaosLine(chaos: ChaosRun, line: Int) {
  import chaos.{choices, seed, spark, tally}
  protected val Rows = 2400
  protected var rows: Vector[Long] = Vector.tabulate(Rows)(_.toLong)
  protected var places: Vector[Place] = Vector.empty
  protected var made = 0

  protected def salt(): Long = {
    made += 1
    Draw(seed, line.toLong, made.toLong)
  }

  /** Adds a function that counts in a named accumulator. */
  protected def named(): Unit = {
    val (accumulator, mix) = (chaos.accumulator(), salt())
    apply(ChaosLine.adding(accumulator, mix))
    chaos.named :+= NamedCount(accumulator, rows.map(ChaosLine.amount(mix, _)).sum)
  }

  /** Adds a step's operator, which drops a share of the rows. */
  protected def step(): Unit = {
    // The last step stands only where a part is read.
    step(chaos.steps(choices.below(ChaosRun.Steps - 1)))
  }

  protected def step(counted: CountedStep): Unit = {
    val (mix, perMille) = (salt(), choices.of(0, 0, 0, 2, 8, 30, 120))
    apply(counted, ChaosLine.function(counted.own, mix, perMille))
    val bad = rows.count(ChaosLine.isBad(mix, perMille, _))
    places :+= counted.add(new Place(counted, rows.size.toLong, bad.toLong, rows.count(n => !ChaosLine.isBad(mix, perMille, n) && n % 3 == 0).toLong))
    rows = rows.filterNot(ChaosLine.isBad(mix, perMille, _))
  }

  protected def apply(f: Long => Long): Unit
  protected def apply(counted: CountedStep, f: Long => Long): Unit
  protected def fault(): Unit
  protected def keep(): Unit
  protected def shuffle(): Unit
  protected def countAll(): Long
  protected def takeSome(): Unit
  protected def write(path: String): Unit
  protected def save(path: String): Unit
  protected def end(): Unit

  private def whole(): Unit = places.foreach(_.isWhole = true)

  private def counted(): Unit = {
    val found = chaos.succeeding(s"a count of line $line")(countAll())
    if (found != rows.size) tally.complain(s"line $line has $found rows, and should have ${rows.size}: the harness's own truth is wrong")
    whole()
  }

  private def twiceAtOnce(): Unit = {
    val threads = (1 to 2).map(_ => new Thread(() => try countAll(): Unit catch { case _: Exception => tally.add("jobs_failed") }))
    threads.foreach(_.start())
    threads.foreach(_.join())
    counted()
  }

  /** Whether the place's truth is beyond its step's limit. */
  private def isBeyond(place: Place): Boolean = place.of.limit.exists(most => place.in > 0 && place.dropped.toDouble / place.in > most)

  /** A write that the gates of its steps stand before, or a save that a guard judges after. */
  private def gated(): Unit = {
    val gates = places.map(_.of).filter(_.limit.nonEmpty).distinct
    val mayPass = !places.exists(isBeyond)
    val isGuard = choices.oneIn(3) && gates.nonEmpty
    var attempt = 0
    val failure = try {
      chaos.succeeding(s"a write of line $line") {
        attempt += 1
        val path = pathOf(attempt)
        if (isGuard) Andiron.guard(gates.map(g => Gate(g.step, maxDropRatio = g.limit.get)): _*)(save(path)) else write(path)
      }
      None
    } catch { case e: Exception if ChaosRun.gate(e).isDefined => ChaosRun.gate(e) }
    val isThere = files(chaos.directory.resolve(s"out-$line-$attempt")).contains("_SUCCESS")
    tally.add("writes")
    failure match {
      case None =>
        tally.add("published")
        whole()
        if (!mayPass) {
          tally.add("passed_wrongly")
          tally.complain(s"line $line: ${if (isGuard) "the guard" else "the commit"} has passed a write beyond its limit: ${told()}")
        }
      case Some(e) if e.code == ErrorCode.GateUnknown =>
        tally.add("unknown")
        println(s"    line $line: unknown: ${e.getMessage.linesIterator.take(1).mkString}")
      case Some(e) =>
        tally.add("refused")
        whole()
        if (mayPass) {
          tally.add("refused_wrongly")
          tally.complain(s"line $line: a write within its limits was refused: ${e.getMessage}; ${told()}")
        }
    }
    if (!isGuard && isThere != failure.isEmpty) {
      tally.add("passed_wrongly")
      tally.complain(s"line $line: the table is ${if (isThere) "" else "not "}there, and its write has ${failure.fold("ended well")(_ => "failed")}")
    }
  }

  private def pathOf(attempt: Int): String = chaos.directory.resolve(s"out-$line-$attempt").toString

  private def told(): String = places.map(p => s"${p.of.step} ${p.dropped} of ${p.in} (limit ${p.of.limit.getOrElse("none")})").mkString(", ")

  def run(): Unit = {
    val isPartial = line % 5 == 4
    println(s"  seed $seed, line $line${if (isPartial) ", read in part" else ""}: ${chaos.witness.stages} stages so far")
    named()
    for (part <- 0 until 3) {
      if (!isPartial) step()
      if (choices.oneIn(2)) keep()
      named()
      if (choices.oneIn(2)) fault()
      shuffle()
      if (choices.oneIn(3)) named()
    }
    if (isPartial) step(chaos.steps.last)
    if (choices.oneIn(2)) keep()
    if (choices.oneIn(2)) fault()
    named()
    if (isPartial) chaos.succeeding(s"a take of line $line")(takeSome())
    else {
      if (choices.oneIn(3)) takeSomeOrFail()
      choices.below(3) match {
        case 0 => counted()
        case 1 => twiceAtOnce()
        case _ =>
      }
      if (choices.oneIn(2)) lose()
      gated()
      lose()
      counted()
    }
    end()
  }

  /** Some of the persisted blocks. */
  private def lose(): Unit = spark.sparkContext.getPersistentRDDs.toSeq.sortBy(_._1).foreach { case (_, rdd) =>
    tally.add("blocks_removed", chaos.succeeding("removing blocks")(ChaosFaults.loseBlocks(spark, rdd, salt())))
  }

  private def takeSomeOrFail(): Unit = try takeSome() catch { case _: Exception => tally.add("jobs_failed") }
}

object ChaosLine {
  def amount(mix: Long, n: Long): Long = if (Draw(mix, n) % 4 == 0) 0 else 1 + n % 2

  def adding(accumulator: org.apache.spark.util.LongAccumulator, mix: Long): Long => Long = n => {
    val more = amount(mix, n)
    if (more > 0) accumulator.add(more)
    n
  }

  def isBad(mix: Long, perMille: Int, n: Long): Boolean = Draw(mix, n) % 1000 < perMille

  def function(own: andiron.StepCounter, mix: Long, perMille: Int): Long => Long = n => {
    if (isBad(mix, perMille, n)) sys.error("a bad row")
    if (n % 3 == 0) own.increment()
    n
  }
}

final class RddLine(chaos: ChaosRun, line: Int) extends ChaosLine(chaos, line) {
  import chaos.{choices, spark}
  private var rdd: RDD[Long] = spark.sparkContext.range(0, Rows, 1, 4 + choices.below(5))
  private var kept: Vector[RDD[Long]] = Vector.empty

  protected def apply(f: Long => Long): Unit = rdd = rdd.map(f)
  protected def apply(counted: CountedStep, f: Long => Long): Unit = rdd = counted.step.map(rdd)(f)
  protected def fault(): Unit = rdd = ChaosFaults.failing(rdd, salt(), chaos.isSpeculative)
  protected def shuffle(): Unit = rdd = ChaosFaults.shuffled(rdd, 3 + choices.below(4), salt())

  protected def keep(): Unit =
    if (choices.oneIn(6)) rdd.checkpoint()
    else {
      rdd.persist(choices.of(StorageLevel.MEMORY_ONLY, StorageLevel.MEMORY_ONLY_SER, StorageLevel.DISK_ONLY, StorageLevel.MEMORY_AND_DISK_2))
      kept :+= rdd
    }

  protected def countAll(): Long = rdd.count()

  protected def takeSome(): Unit = rdd.take(3): Unit
  protected def write(path: String): Unit = spark.createDataset(rdd)(Encoders.scalaLong).write.parquet(path)
  protected def save(path: String): Unit = rdd.saveAsTextFile(path)
  protected def end(): Unit = kept.foreach(_.unpersist())
}

final class DatasetLine(chaos: ChaosRun, line: Int) extends ChaosLine(chaos, line) {
  import chaos.{choices, spark}
  private implicit val longs: Encoder[Long] = Encoders.scalaLong
  private var all: Dataset[Long] = spark.range(0, Rows, 1, 4 + choices.below(5)).as[Long]
  private var kept: Vector[Dataset[Long]] = Vector.empty

  protected def apply(f: Long => Long): Unit = all = all.map(f)
  protected def apply(counted: CountedStep, f: Long => Long): Unit = all = counted.step.map(all)(f)
  protected def fault(): Unit = all = ChaosFaults.failing(all, salt(), chaos.isSpeculative)

  protected def keep(): Unit = {
    all = all.persist(choices.of(StorageLevel.MEMORY_AND_DISK, StorageLevel.DISK_ONLY, StorageLevel.MEMORY_ONLY))
    kept :+= all
  }

  protected def shuffle(): Unit = all = choices.below(3) match {
    case 0 => all.repartition(col("value")).as[Long]
    case 1 => all.groupByKey(n => n).mapGroups((key, _) => key)
    case _ => all.toDF("value").join(spark.range(0, Rows).toDF("value"), "value").as[Long]
  }

  protected def countAll(): Long = all.count()
  protected def takeSome(): Unit = all.take(3): Unit
  protected def write(path: String): Unit = all.write.parquet(path)
  protected def save(path: String): Unit = all.rdd.saveAsTextFile(path)
  protected def end(): Unit = kept.foreach(_.unpersist())
}

/** A cached RDD whose first attempts drop other rows than later ones: the missing rows identify the attempt. */
final class UnsteadyWrite(chaos: ChaosRun, line: Int) {
  import chaos.{choices, seed, spark, tally}
  private val Rows = 2400
  private val Limit = 0.02

  def run(): Unit = {
    val step = andiron.Step(spark, s"unsteady-$seed-$line")
    Gate(step, maxDropRatio = Limit)
    val (mix, perMille) = (Draw(seed, line.toLong, 99), choices.of(5, 60, 200))
    val counted = step.map(spark.sparkContext.range(0, Rows, 1, 8)) { n =>
      val task = TaskContext.get()
      if (task.attemptNumber() == 0 && task.stageAttemptNumber() == 0 && ChaosLine.isBad(mix, perMille, n)) sys.error("the service is down")
      n
    }
    if (choices.oneIn(2)) counted.persist(choices.of(StorageLevel.MEMORY_ONLY, StorageLevel.DISK_ONLY))
    val out = ChaosFaults.shuffled(ChaosFaults.failing(counted, mix, chaos.isSpeculative), 4, mix)
    var attempt = 0
    def path = chaos.directory.resolve(s"unsteady-$line-$attempt")
    tally.add("writes")
    try {
      chaos.succeeding(s"an unsteady write of line $line") {
        attempt += 1
        spark.createDataset(out)(Encoders.scalaLong).write.parquet(path.toString)
      }
      tally.add("published")
      val missing = Rows - chaos.succeeding("reading back")(spark.read.parquet(path.toString).distinct().count())
      if (missing.toDouble / Rows > Limit) {
        tally.add("passed_wrongly")
        tally.complain(s"line $line: a table was published that lacks $missing of $Rows rows, at a limit of $Limit")
      }
    } catch {
      case e: Exception if ChaosRun.gate(e).isDefined =>
        tally.add(if (ChaosRun.gate(e).exists(_.code == ErrorCode.GateUnknown)) "unknown" else "refused")
        if (files(path).nonEmpty) {
          tally.add("passed_wrongly")
          tally.complain(s"line $line: a write was refused, and has left ${files(path)}")
        }
    }
    step.close()
    counted.unpersist(): Unit
  }
}
