package andiron.internal.cache

import java.io.NotSerializableException
import java.nio.file.{Files, Path}

import andiron.testing.Sparks._
import andiron.{Bytes, Catalog, Loader, Version, VersionedData}
import andiron.testing.SuiteRunner

import org.apache.spark.SparkException
import org.apache.spark.serializer.{JavaSerializer, KryoSerializer, Serializer}
import org.apache.spark.sql.{Encoders, SparkSession}
import org.junit.runner.RunWith
import org.scalatest.BeforeAndAfterAll
import org.scalatest.funsuite.AnyFunSuite

/** Leased values cannot leave their process: Java's serialisation and Kryo refuse them with a remedy. */
@RunWith(classOf[SuiteRunner])
class StayingSuite extends AnyFunSuite with BeforeAndAfterAll {
  private var spark: SparkSession = _
  private var directory: Path = _
  private var catalog: Catalog[Bytes] = _

  override def beforeAll(): Unit = {
    directory = Files.createTempDirectory("staying")
    spark = start("local[2]", "spark.serializer" -> classOf[KryoSerializer].getName)
    catalog = VersionedData.catalog(spark, "planes", Seq(Version("v1", source(directory, "v1", "planes"))), Loader.bytes)
  }

  override def afterAll(): Unit = {
    stop(spark)
    delete(directory)
  }

  private def causes(error: Throwable): String = Iterator.iterate(error)(_.getCause).takeWhile(_ != null).map(_.toString).mkString("\n")

  private def refused(what: String, by: Serializer, value: Any): Unit = {
    val message = causes(intercept[Exception](by.newInstance().serialize[Any](value)))
    for (part <- Seq(classOf[NotSerializableException].getName, what, "toArray", "the version's name")) assert(message.contains(part), s"$by: $message")
  }

  for (name <- Seq("Java", "Kryo"))
    test(s"$name refuses bytes, leases, lease sets and cursors by name") {
      val by = if (name == "Java") new JavaSerializer(spark.sparkContext.getConf) else new KryoSerializer(spark.sparkContext.getConf)
      val (lease, set, cursor) = (catalog.lease("v1"), catalog.acquireAll("v1"), catalog.cursor())
      try {
        refused("andiron.Bytes", by, lease.value)
        refused("andiron.Bytes", by, Seq(Some(lease.value.slice(1, 2))))
        refused("andiron.Lease", by, lease)
        refused("andiron.LeaseSet", by, Array[Any](set))
        refused("andiron.Cursor", by, ("a", cursor))
      } finally {
        lease.close()
        set.close()
        cursor.close()
      }
    }

  test("a class that is registered with Kryo is refused alike") {
    val conf = spark.sparkContext.getConf.clone().registerKryoClasses(Array(classOf[Bytes])).set("spark.kryo.registrationRequired", "true")
    val lease = catalog.lease("v1")
    try refused("andiron.Bytes", new KryoSerializer(conf), lease.value)
    finally lease.close()
  }

  test("a job that returns bytes, collects them from a Dataset or caches them fails once, and says what to do") {
    val known = catalog
    val context = spark.sparkContext
    val jobs = Seq[(String, () => Any)](
      "returned" -> (() => context.parallelize(Seq("v1"), 1).map(name => known.lease(name).value).collect()),
      "encoded" -> (() => spark.createDataset(Seq("v1"))(Encoders.STRING).map(name => known.lease(name).value)(Encoders.kryo[Bytes]).collect()),
      "shuffled" -> (() => context.parallelize(Seq("v1"), 1).map(name => (name, known.lease(name).value)).groupByKey(2).count()),
      "captured" -> { () =>
        val lease = known.lease("v1")
        try context.parallelize(Seq(1), 1).map(_ => lease.value.size).collect()
        finally lease.close()
      })
    for ((what, job) <- jobs) {
      val message = causes(intercept[SparkException](job()))
      assert(message.contains("andiron.") && message.contains("it is memory that a task leases"), s"$what: $message")
    }
    assert(stats(spark)("leases") == 0)
  }
}
