package andiron.internal.metrics

import org.apache.spark.rdd.PartitionPruningRDD
import org.apache.spark.sql.functions.col
import org.junit.runner.RunWith

import andiron.testing.SuiteRunner

/** Actions and plans that read a part of the input, and those that look as if they did. */
@RunWith(classOf[SuiteRunner])
class ExactnessPartsSuite extends ExactnessScenarios("parts", "local[2]") {
  private def ran(c: Counted): String = required(c.accumulator.value < Rows, s"${c.accumulator.value} rows were computed")

  partial("take", calls = 5) { c =>
    assert(mapped(c, numbers()).take(5).length == 5)
    ran(c)
  }

  partial("take, named by setCallSite", calls = 5) { c =>
    spark.sparkContext.setCallSite("nightly")
    try assert(mapped(c, numbers()).take(5).length == 5)
    finally spark.sparkContext.clearCallSite()
    s"the call site is 'nightly'; ${ran(c)}"
  }

  exact("count, whose call site is called take") { c =>
    spark.sparkContext.setCallSite("take at Nightly.scala:1")
    try assert(mapped(c, numbers()).count() == Rows)
    finally spark.sparkContext.clearCallSite()
    "the call site is 'take at Nightly.scala:1'"
  }

  partial("limit", calls = 10) { c =>
    assert(mapped(c, range()).limit(10).collect().length == 10)
    ran(c)
  }

  exact("limit below the step", truth = 10) { c =>
    assert(mapped(c, range().limit(10)).collect().length == 10)
    ran(c)
  }

  partial("isEmpty", calls = 1) { c =>
    assert(!mapped(c, numbers()).isEmpty())
    ran(c)
  }

  test("exists") {
    val c = new Counted(spark, "exists", "parts")
    val left = spark.range(0, 5, 1, 1).toDF("k")
    mapped(c, range()).createOrReplaceTempView("counted_rows")
    left.createOrReplaceTempView("few_rows")
    assert(spark.sql("select k from few_rows where exists (select 1 from counted_rows)").collect().length == 5)
    // How many of the rows Spark reads before it knows depends on its version; nothing fails, so its own accumulator tells.
    val outcome = Outcomes.note(spark, c.outcome(Rows, ran(c), c.accumulator.value, isWhole = false))
    assert(outcome.wrong.isEmpty && !outcome.stepExact, outcome)
  }

  partial("runJob of three partitions", calls = 375) { c =>
    assert(spark.sparkContext.runJob(mapped(c, numbers()), (all: Iterator[Int]) => all.size, Seq(1, 2, 3)).sum == 375)
    ran(c)
  }

  partial("pruned partitions", calls = 375) { c =>
    assert(PartitionPruningRDD.create(mapped(c, numbers()), (index: Int) => index < 3).count() == 375)
    ran(c)
  }

  exact("toLocalIterator to its end") { c =>
    assert(mapped(c, numbers()).toLocalIterator.size == Rows)
    required(c.witness.of("success") == 8, "8 jobs of one partition each")
  }

  exact("take of more rows than there are") { c =>
    assert(mapped(c, numbers()).take(5000).length == Rows)
    required(c.witness.of("stage") > 1, s"${c.witness.of("stage")} jobs of some partitions each")
  }

  exact("count, then take") { c =>
    val rows = mapped(c, numbers())
    assert(rows.count() == Rows && rows.take(5).length == 5)
    required(c.accumulator.value == Rows + 5, "5 rows were computed twice")
  }

  exact("orderBy with a limit") { c =>
    assert(mapped(c, range()).orderBy(col("value").desc).limit(3).collect().head == Rows - 1)
    required(c.accumulator.value == Rows, "all rows were read for 3")
  }

  exact("random splits") { c =>
    val halves = mapped(c, numbers()).randomSplit(Array(0.5, 0.5), 7)
    assert(halves.map(_.count()).sum == Rows)
    required(c.accumulator.value == 2 * Rows, "each half has computed all rows")
  }

  exact("zip") { c =>
    assert(mapped(c, numbers()).zip(numbers()).count() == Rows)
    required(c.accumulator.value == Rows, "two RDDs were read in step")
  }

  partial("zip with an RDD that is shorter", calls = 800) { c =>
    val shorter = numbers().mapPartitions(_.take(100))
    assert(shorter.zipPartitions(mapped(c, numbers()))((few, all) => few.zip(all)).count() == 800)
    ran(c)
  }

  partial("a merge join whose other side has no rows", calls = 0) { c =>
    withConf("spark.sql.autoBroadcastJoinThreshold" -> "-1", "spark.sql.adaptive.enabled" -> "false") {
      val none = range(1).filter((n: java.lang.Long) => n < 0).toDF("k")
      val joined = none.join(mapped(c, range(1)).toDF("k").hint("merge"), "k")
      assert(joined.collect().isEmpty)
      required(joined.queryExecution.executedPlan.toString.contains("SortMergeJoin"), "the executed plan says 'SortMergeJoin'; no row was read")
    }
  }

  exact("the broadcast side of a join") { c =>
    val joined = range().toDF("value").join(mapped(c, range()).toDF("value").hint("broadcast"), "value")
    assert(joined.collect().length == Rows)
    required(joined.queryExecution.executedPlan.toString.contains("BroadcastHashJoin"), "the executed plan says 'BroadcastHashJoin'")
  }

  exact("a scalar sub-query") { c =>
    mapped(c, range()).createOrReplaceTempView("counted_rows")
    assert(spark.sql("select id from range(5) where id < (select max(value) from counted_rows)").collect().length == 5)
    required(c.accumulator.value == Rows, "the sub-query was computed once")
  }

  exact("an exchange that is reused") { c =>
    val grouped = mapped(c, range()).groupBy("value").count()
    val joined = grouped.join(grouped.withColumnRenamed("count", "again"), "value").hint("merge")
    assert(joined.collect().length == Rows)
    required(joined.queryExecution.executedPlan.toString.contains("Reused"), "the executed plan says 'Reused'")
  }

  /** Each branch of a union is a figure of Andiron's, with all rows, and none is exact. */
  private def listed(c: Counted, branches: Int, told: String): String = {
    val figures = NamedFigures.of(spark, s"rows of ${c.scenario}")
    assert(figures.size == branches && figures.forall(figure => figure.committed == Rows && !figure.exact && figure.scope.contains("/branch:")), figures)
    required(c.accumulator.value == branches * Rows, s"$told; Andiron lists $branches figures")
  }

  flagged("union of a Dataset with itself") { c =>
    val rows = mapped(c, range())
    assert(rows.union(rows).collect().length == 2 * Rows)
    listed(c, 2, "the rows were computed twice, by two operators of one query")
  }

  flagged("union of a Dataset with itself, grouped") { c =>
    val rows = mapped(c, range())
    assert(rows.union(rows).groupBy("value").count().count() == Rows)
    listed(c, 2, "the rows were computed twice, by two operators of one query, for a shuffle")
  }

  flagged("union of 200 times one Dataset") { c =>
    val rows = mapped(c, range(2))
    assert((1 until 200).foldLeft(rows)((union, _) => union.union(rows)).collect().length == 200 * Rows)
    listed(c, 200, "the rows were computed 200 times, by 200 operators of one query")
  }

  exact("union of an RDD with itself") { c =>
    val rows = mapped(c, numbers())
    assert(rows.union(rows).count() == 2 * Rows)
    listed(c, 2, "the rows were computed twice, by one operator")
  }

  exact("coalesce to one task, which evaluates each partition three times") { c =>
    val rows = mapped(c, numbers())
    assert(rows.union(rows).union(rows).coalesce(1).count() == 3 * Rows)
    required(c.witness.of("success") == 1 && c.accumulator.value == 3 * Rows, "one task, the rows were computed three times")
  }
}
