package andiron.internal.cache

import andiron.testing.Sparks._
import andiron.{AndironConf, ExecutorCacheStats, Loader, Version, VersionedData}
import andiron.testing.SuiteRunner

import org.apache.spark.BarrierTaskContext
import org.junit.runner.RunWith
import org.scalatest.funsuite.AnyFunSuite

/** Tasks that wait for each other while they hold versions: four of 1 MB, a budget of two. */
@RunWith(classOf[SuiteRunner])
class BarrierSuite extends AnyFunSuite {

  private def meet(hardLimit: String)(check: (() => Seq[Int], () => ExecutorCacheStats) => Unit): Unit = withDirectory { directory =>
    withSpark("local[4]",
      AndironConf.BudgetBytes.key -> "2m", AndironConf.HardLimitBytes.key -> hardLimit,
      AndironConf.OverdraftAfter.key -> "200ms", AndironConf.DeadlockAfter.key -> "1s") { spark =>
      val versions = (0 until 4).map(i => Version(s"v$i", source(directory, s"v$i", Array.fill[Byte](1 << 20)(i.toByte))))
      val catalog = VersionedData.catalog(spark, "met", versions, Loader.bytes)
      def run() = spark.sparkContext.parallelize(0 until 4, 4).barrier().mapPartitions { ids =>
        val id = ids.next()
        val value = catalog.cursor().advance(s"v$id")
        BarrierTaskContext.get().barrier()
        Iterator(value.getByte(1000).toInt)
      }.collect().toSeq
      check(() => run(), () => stats(spark))
      eventually(s"nothing held: ${stats(spark)}")(Seq("leases", "waiting", "attempts").forall(stats(spark)(_) == 0))
      assert(stats(spark)("residentBytes") <= (2 << 20), "what is over the budget goes with its last lease")
      catalog.close()
    }
  }

  test("tasks of a barrier stage are admitted over the budget, each by a version, and counted") {
    meet("4m") { (run, stats) =>
      assert(run() == Seq(0, 1, 2, 3))
      assert(stats()("overBudgetAdmissions") == 2 && stats()("deadlockKills") == 0, stats())
    }
  }

  test("at the hard limit they fail soon, with what to raise") {
    meet("3m") { (run, _) =>
      val e = causeOf[Exception](intercept[Exception](run()))
      assert(e.getMessage.contains("at a barrier: raise spark.andiron.cache.budgetBytes"), e.getMessage)
    }
  }
}
