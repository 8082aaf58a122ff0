package andiron.internal.cache

import java.io.InputStream

import andiron.testing.Sparks._
import andiron._
import andiron.testing.SuiteRunner

import org.apache.spark.sql.{Encoders, Row, SparkSession}
import org.apache.spark.sql.functions.{col, sum}
import org.junit.runner.RunWith
import org.scalatest.funsuite.AnyFunSuite

/** Catalogs under `spark.serializer=KryoSerializer`. */
@RunWith(classOf[SuiteRunner])
class KryoSuite extends AnyFunSuite {
  private val kryo = "spark.serializer" -> "org.apache.spark.serializer.KryoSerializer"
  private val strict = "spark.kryo.registrationRequired" -> "true"

  private def sizes[V](spark: SparkSession, catalog: Catalog[V], size: V => Long): Long =
    spark.range(0, 100, 1, 4).selectExpr("id", "concat('v', id % 2) as version")
      .mapWithVersion(catalog, col("version"))((_: Row, value: V) => size(value))(Encoders.scalaLong).agg(sum("value")).head().getLong(0)

  /** Bytes and objects, from a source and from a loader of one's own. */
  private def reads(spark: SparkSession): Unit = withDirectory { directory =>
    val versions = Seq("v0", "v1").map(name => Version(name, source(directory, name, name * 5)))
    val bytes = VersionedData.catalog(spark, "bytes", versions, Loader.bytes)
    assert(sizes(spark, bytes, (value: Bytes) => value.size) == 1000)
    val objects = VersionedData.catalog(spark, "objects", versions, Loader.objects((_, in: InputStream) => new String(in.readAllBytes())))
    assert(sizes(spark, objects, (value: String) => value.length.toLong) == 1000)
    val custom = VersionedData.catalog(spark, "custom", versions, Loader.custom(version => version.name)(_.length.toLong))
    assert(sizes(spark, custom, (value: String) => value.length.toLong) == 200)
    Seq(bytes, objects, custom).foreach(_.close())
  }

  test("executors of a cluster load bytes and objects")(withSpark("local-cluster[2,1,1024]", kryo)(reads))

  test("so they do where classes must be registered")(withSpark("local-cluster[1,1,1024]", kryo, strict)(reads))

  test("so does local mode where classes must be registered")(withSpark("local[2]", kryo, strict)(reads))

  test("a step counts and judges on a cluster where classes must be registered") {
    withSpark("local-cluster[1,2,1024]", kryo, strict) { spark =>
      val step = Step(spark, "kryo")
      val gate = Gate(step, maxDropRatio = 0.5)
      val kept = Andiron.guard(gate) {
        step.map(spark.range(0, 100, 1, 4))(id => if (id % 4 == 0) throw new IllegalStateException("a quarter") else id.longValue)(Encoders.scalaLong).count()
      }
      assert(kept == 75 && step.figures.counters("in") == 100 && step.figures.exact)
    }
  }
}
