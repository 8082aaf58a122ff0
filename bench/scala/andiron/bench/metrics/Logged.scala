package andiron.bench.metrics

import org.apache.spark.HashPartitioner
import org.apache.spark.rdd.RDD
import org.apache.spark.sql.SparkSession

import andiron.Step
import andiron.bench.Options
import andiron.internal.metrics.MetricsApplication

/** A job of many stages. Every third stage changes no accumulator, each other stage changes one, and every tenth stage has a step. */
object ManyStages {

  def run(spark: SparkSession, options: Options): Seq[Map[String, Any]] = {
    val context = spark.sparkContext
    val (stages, tasks) = (options.int("stages"), options.int("tasks"))
    val accumulators = (0 until options.int("accumulators")).map(i => context.longAccumulator(s"acc $i"))
    val step = Step(spark, "every tenth")
    val rows = context.range(0, options.long("rows"), 1, tasks)
    val changing = (0 until stages).filter(_ % 3 != 2)
    val last = (0 until stages).foldLeft(rows: RDD[Long]) { (before, stage) =>
      // The key is the row's number, shifted in each stage so that rows move between partitions.
      val input = if (stage == 0) before else before.map(n => (n + stage, n)).partitionBy(new HashPartitioner(tasks)).values
      val counted = if (stage % 3 == 2) input else {
        val accumulator = accumulators(changing.indexOf(stage) % accumulators.size)
        input.map { n =>
          accumulator.add(1)
          n
        }
      }
      if (stage % 10 == 0) step.map(counted)(n => if (n % 1000 == 0) throw new IllegalStateException(s"row $n") else n) else counted
    }
    val started = System.nanoTime()
    val left = last.count()
    val seconds = (System.nanoTime() - started) / 1e9
    val application = MetricsApplication.of(context).get
    if (!application.barrier(60000)) throw new IllegalStateException("the job's events did not arrive")
    step.close()
    Seq(Map("application" -> context.applicationId, "wall_s" -> seconds, "stages" -> stages, "accumulators" -> accumulators.size,
      "stages_with_accumulators" -> changing.size, "rows_left" -> left))
  }
}

/** A job in which some rows of every task fail, inside a step of Andiron or inside a plain `Try`. */
object FailingRows {

  def run(spark: SparkSession, options: Options): Seq[Map[String, Any]] = {
    val (tasks, failing, each) = (options.int("tasks"), options.int("failing"), options.int("rows"))
    val rows = spark.sparkContext.range(0, tasks.toLong * each, 1, tasks)
    val f = function(each, failing)
    val left = if (options("step").toBoolean) WithFailures.count(spark, rows, f, tasks * failing) else rows.flatMap(n => scala.util.Try(f(n)).toOption).count()
    if (left != tasks.toLong * (each - failing)) throw new IllegalStateException(s"$left rows are left")
    Seq(Map("step" -> options("step").toBoolean, "tasks" -> tasks, "rows_left" -> left))
  }

  private def function(each: Int, failing: Int): Long => Long =
    n => if (n % each < failing) throw new IllegalStateException(s"no history of member $n") else n
}

private object WithFailures {
  def count(spark: SparkSession, rows: RDD[Long], f: Long => Long, failing: Int): Long = {
    val step = Step(spark, "failing")
    val left = step.keyed[Long](n => s"member $n").map(rows)(f).count()
    val figures = step.figures
    if (figures.dropped != failing) throw new IllegalStateException(s"the step has counted $figures")
    step.close()
    left
  }
}
