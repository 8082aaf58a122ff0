package andiron

import java.nio.file.{Path, Paths}

import andiron.testing.Sparks._
import andiron.testing.SuiteRunner

import org.apache.spark.sql.SparkSession
import org.junit.runner.RunWith
import org.scalatest.BeforeAndAfterAll
import org.scalatest.funsuite.AnyFunSuite

/** Runs the quick start of README.md as it stands; `gradle quickStartSource` makes a function of it. */
@RunWith(classOf[SuiteRunner])
class QuickStartSuite extends AnyFunSuite with BeforeAndAfterAll {
  private var spark: SparkSession = _

  override def beforeAll(): Unit = spark = start("local[2]", "spark.plugins" -> "andiron.AndironPlugin")

  override def afterAll(): Unit = stop(spark)

  test("the quick start of README.md prices each valid sale and drops the others") {
    val (folder, figures) = quickstart.QuickStart.run(spark)
    try {
      assert((figures.in, figures.out, figures.dropped, figures.exact) == ((10000, 9900, 100, true)), figures)
      val priced = spark.read.parquet(s"$folder/priced")
      assert(priced.count() == 9900)
      val wrong = priced.where("price != if(sale % 2 = 0, 100, 200) + sale % 1000")
      assert(wrong.count() == 0, wrong.collect().take(5).toSeq)
    } finally delete(Paths.get(folder): Path)
  }
}
