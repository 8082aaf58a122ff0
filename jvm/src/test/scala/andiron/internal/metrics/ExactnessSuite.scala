package andiron.internal.metrics

import org.apache.spark.TaskContext
import org.apache.spark.andironshim.Faults
import org.apache.spark.sql.Encoders
import org.apache.spark.sql.functions.{col, lit}
import org.apache.spark.storage.StorageLevel
import org.junit.runner.RunWith

import andiron.testing.SuiteRunner

/** Rows that are computed more than once. */
@RunWith(classOf[SuiteRunner])
class ExactnessSuite extends ExactnessScenarios("again", "local[2]", "spark.sql.shuffle.partitions" -> "20") {
  exact("clean run") { c =>
    assert(mapped(c, numbers()).count() == Rows)
    "nothing"
  }

  exact("map stage retried after a fetch failure") { c =>
    val shuffled = mapped(c, numbers()).map(n => (n % 7, n)).groupByKey(4)
    val shuffle = Faults.shuffleOf(shuffled)
    val groups = shuffled.mapPartitions { rows =>
      val task = TaskContext.get()
      if (task.stageAttemptNumber() == 0 && task.partitionId() == 2) Faults.failFetch(shuffle)
      rows
    }
    assert(groups.map(_._2.size).sum() == Rows)
    required(c.witness.of("FetchFailed") > 0 && c.witness.of("later stage attempt") > 0,
      s"${c.witness.of("FetchFailed")} fetch failures, ${c.witness.of("later stage attempt")} tasks in later stage attempts")
  }

  exact("shuffle lost, recomputed by a later job") { c =>
    val shuffled = mapped(c, numbers()).map(n => (n % 7, n)).groupByKey(4)
    assert(shuffled.count() == 7)
    Faults.loseShuffle(Faults.shuffleOf(shuffled))
    val before = c.witness.of("success")
    assert(shuffled.count() == 7)
    required(c.witness.of("success") - before == 12, s"${c.witness.of("success") - before} tasks of the second job")
  }

  exact("a retry that contributes zero", truth = 0) { c =>
    val (own, accumulator) = (c.own, c.accumulator)
    val rows = c.step.map(numbers()) { n =>
      if (TaskContext.get().stageAttemptNumber() == 0) {
        own.increment()
        accumulator.add(1)
      }
      n
    }
    val shuffled = rows.map(n => (n % 7, n)).groupByKey(4)
    val shuffle = Faults.shuffleOf(shuffled)
    val groups = shuffled.mapPartitions { all =>
      if (TaskContext.get().stageAttemptNumber() == 0) Faults.failFetch(shuffle)
      all
    }
    assert(groups.count() == 7)
    required(c.witness.of("later stage attempt") >= 12, s"${c.witness.of("later stage attempt")} tasks in later stage attempts, all maps among them")
  }

  exact("orderBy samples its input") { c =>
    assert(mapped(c, range()).orderBy(col("value").desc).collect().head == Rows - 1)
    required(c.accumulator.value == 2 * Rows, "the rows were computed twice")
  }

  exact("sortBy of an RDD") { c =>
    assert(mapped(c, numbers()).sortBy(n => -n).first() == Rows - 1)
    required(c.accumulator.value > Rows, "the rows were computed more than once")
  }

  exact("cached block lost") { c =>
    val cached = mapped(c, numbers()).persist(StorageLevel.MEMORY_ONLY)
    assert(cached.count() == Rows)
    val lost = Faults.loseBlocks(cached)
    assert(lost == 8)
    assert(cached.count() == Rows)
    cached.unpersist()
    required(c.accumulator.value == 2 * Rows, s"the rows of lost blocks were computed again: ${c.accumulator.value - Rows}")
  }

  exact("unpersist and reuse") { c =>
    val cached = mapped(c, range()).cache()
    assert(cached.count() == Rows)
    cached.unpersist(true)
    assert(cached.count() == Rows)
    required(c.accumulator.value == 2 * Rows, "the rows were computed twice")
  }

  exact("two actions on an RDD") { c =>
    val rows = mapped(c, numbers())
    assert(rows.count() == Rows && rows.filter(_ > 10).count() > 0)
    required(c.accumulator.value == 2 * Rows, "the rows were computed twice")
  }

  exact("two actions on a Dataset") { c =>
    val rows = mapped(c, range())
    assert(rows.count() == Rows && rows.where("value > 10").count() > 0)
    required(c.accumulator.value == 2 * Rows, "the rows were computed twice")
  }

  exact("adaptive execution coalesces") { c =>
    val rows = mapped(c, range().repartition(col("id")).as[java.lang.Long](Encoders.LONG))
    assert(rows.collect().length == Rows)
    val plan = rows.queryExecution.executedPlan.toString
    required(plan.contains("coalesced"), "the executed plan says 'coalesced'")
  }

  exact("adaptive execution splits a skewed join") { c =>
    val conf = Seq("spark.sql.adaptive.skewJoin.skewedPartitionThresholdInBytes" -> "1k", "spark.sql.adaptive.advisoryPartitionSizeInBytes" -> "1k",
      "spark.sql.adaptive.skewJoin.skewedPartitionFactor" -> "1", "spark.sql.autoBroadcastJoinThreshold" -> "-1",
      "spark.sql.adaptive.autoBroadcastJoinThreshold" -> "-1", "spark.sql.adaptive.coalescePartitions.enabled" -> "false")
    val rows = withConf(conf: _*) {
      val left = spark.range(0, Rows, 1, 8).select((col("id") % 5).as("k"), (col("id") % 5 * 0 + lit(0)).as("skew"), col("id"))
        .selectExpr("if(id < 950, 0, k) as k", "id", "repeat(cast(id as string), 20) as filler")
      val right = spark.range(0, 5, 1, 2).withColumnRenamed("id", "k").selectExpr("k", "repeat('x', 100) as wide")
      val joined = left.join(right, "k").select(col("id")).as[java.lang.Long](Encoders.LONG)
      val rows = mapped(c, joined)
      assert(rows.collect().length == Rows)
      rows
    }
    required(rows.queryExecution.executedPlan.toString.contains("skewed"), "the executed plan says 'skewed'")
  }

  exact("a plan run once whole and once coalesced") { c =>
    val rows = mapped(c, range().selectExpr("id * 7 % 1009 as id").groupBy("id").count().select(col("id")).as[java.lang.Long](Encoders.LONG))
    val whole = withConf("spark.sql.adaptive.enabled" -> "false") {
      assert(rows.count() == Rows)
      c.witness.of("success")
    }
    assert(rows.count() == Rows)
    val coalesced = c.witness.of("success") - whole
    required(c.accumulator.value == 2 * Rows && coalesced < whole, s"$whole tasks, then $coalesced")
  }

  exact("take, then all") { c =>
    val rows = mapped(c, numbers())
    assert(rows.take(5).length == 5 && rows.count() == Rows)
    required(c.accumulator.value > Rows, "rows were computed more than once")
  }

  exact("cartesian") { c =>
    val rows = mapped(c, numbers(4))
    assert(spark.sparkContext.parallelize(0 until 3, 3).cartesian(rows).count() == 3 * Rows)
    required(c.accumulator.value == 3 * Rows, "the rows were computed three times")
  }

  exact("union with itself", truth = Rows) { c =>
    val rows = mapped(c, numbers())
    assert(rows.union(rows).coalesce(2).count() == 2 * Rows)
    required(c.accumulator.value == 2 * Rows, "the rows were computed twice")
  }
}
