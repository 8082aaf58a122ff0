package andiron.bench.metrics

import org.apache.spark.andironshim.BenchListeners
import org.apache.spark.rdd.RDD
import org.apache.spark.sql.{Dataset, Encoder, Encoders, SparkSession}

import andiron.Step
import andiron.bench.{Options, Shape, TaskSums}

/** A job of many tasks, with or without a step of Andiron. */
object Overhead {

  def run(spark: SparkSession, options: Options): Seq[Map[String, Any]] = {
    val (tasks, steps) = (options.int("tasks"), options("step").toBoolean)
    for (_ <- 0 until options.int("warm_ups")) job(spark, tasks, steps)
    for (repeat <- 0 until options.int("repeats")) yield job(spark, tasks, steps) + ("repeat" -> repeat)
  }

  private def job(spark: SparkSession, tasks: Int, steps: Boolean): Map[String, Any] = {
    val context = spark.sparkContext
    BenchListeners.drain(context)
    System.gc()
    val before = ThreadCpu.all()
    val started = System.nanoTime()
    val sum = if (steps) WithStep.sum(spark, tasks) else context.parallelize(0 until tasks, tasks).map(RowsOfCost.function).sum()
    val wall = (System.nanoTime() - started) / 1e9
    BenchListeners.drain(context)
    val taken = ThreadCpu.since(before)
    Map[String, Any]("step" -> steps, "tasks" -> tasks, "wall_s" -> wall, "digest" -> sum.toLong.toString) ++ taken.map { case (group, nanos) => s"${group}_ns" -> nanos }
  }
}

/** A separate object, because applications without Andiron lack its classes. */
private object WithStep {
  private var steps = 0

  def sum(spark: SparkSession, tasks: Int): Double = {
    // Steps with the same name share their counts, so each job uses another name.
    steps += 1
    val step = Step(spark, s"overhead $steps")
    val sum = step.map(spark.sparkContext.parallelize(0 until tasks, tasks))(RowsOfCost.function).sum()
    val figures = step.figures
    if (figures.in != tasks || !figures.exact) throw new IllegalStateException(s"the step has counted $figures, not $tasks rows")
    step.close()
    sum
  }
}

object RowsOfCost {
  val function: Int => Int = n => (Shape.mix(n.toLong) & 0xff).toInt
}

/** The cost per row of a guarded map and of a plain map. */
object GuardedRowCost {
  private implicit val numbers: Encoder[Long] = Encoders.scalaLong

  def run(spark: SparkSession, options: Options): Seq[Map[String, Any]] = {
    val rows = options.long("rows")
    val sums = new TaskSums(spark.sparkContext)
    val of = new GuardedRowCost(spark, rows, options.int("partitions"))
    for (turn <- 0 until options.int("warm_ups"); name <- inTurn(turn)) of.run(name)
    for (turn <- 0 until options.int("turns"); name <- inTurn(turn)) yield {
      sums.start()
      val started = System.nanoTime()
      val digest = of.run(name)
      val wall = (System.nanoTime() - started) / 1e9
      Map[String, Any]("what" -> name, "turn" -> turn, "rows" -> rows, "wall_s" -> wall, "cpu_s" -> sums.figures("cpu_s"), "digest" -> digest.toString)
    }
  }

  private val Names = Seq("rdd-plain", "rdd-guarded", "dataset-plain", "dataset-partitions", "dataset-guarded")

  private def total(values: Iterator[Long]): Long = {
    var sum = 0L
    while (values.hasNext) sum += values.next()
    sum
  }

  private def inTurn(turn: Int): Seq[String] = if (turn % 2 == 0) Names else Names.reverse
}

private final class GuardedRowCost(spark: SparkSession, rows: Long, partitions: Int)(implicit numbers: Encoder[Long]) {
  private val step = Step(spark, "rows")
  private val f: Long => Long = n => Shape.mix(n)
  private def rdd: RDD[Long] = spark.sparkContext.range(0, rows, 1, partitions)
  private def dataset: Dataset[Long] = spark.range(0, rows, 1, partitions).as[Long]

  def run(name: String): Long = name match {
    case "rdd-plain"     => sum(rdd.map(f))
    case "rdd-guarded"   => sum(step.map(rdd)(f))
    case "dataset-plain" => sum(dataset.map(f))
    case "dataset-partitions" => sum(inPartitions(f))
    case _               => sum(step.map(dataset)(f))
  }

  private def inPartitions(change: Long => Long): Dataset[Long] = dataset.mapPartitions((rows: Iterator[Long]) => rows.map(change))

  private def sum(rows: RDD[Long]): Long = rows.mapPartitions(values => Iterator.single(GuardedRowCost.total(values))).collect().sum

  private def sum(rows: Dataset[Long]): Long = rows.selectExpr("sum(value)").collect().head.getLong(0)
}
