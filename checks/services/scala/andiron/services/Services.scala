package andiron.services

import java.nio.file.{Path, Paths}

import org.apache.spark.sql.SparkSession

import andiron.harness.{Arguments, Json}

/**
 * Checks Andiron against one real service and writes one line of JSON per check to `<folder>/results.jsonl`:
 * `Services service=hdfs folder=...`, for S3 also `server=<command>` and `port=<number>`, for Hive and Atlas the addresses of their servers.
 * checks/services/run.py starts it.
 */
object Services {

  def main(arguments: Array[String]): Unit = {
    val option = Arguments.of(arguments)
    val folder = Paths.get(option("folder"))
    option("service") match {
      case "hdfs" => Hdfs.run(folder, report(folder, _))
      case "s3"   => S3.run(folder, option("server").split(' ').toSeq, option("port").toInt, report(folder, _))
      case "hive" => Hive.run(folder, option, report(folder, _))
      case "atlas" => new Atlas(folder, option).run(report(folder, _))
      case other  => throw new IllegalArgumentException(s"no service $other; there are hdfs, s3, hive and atlas")
    }
  }

  private def report(folder: Path, facts: Seq[(String, Any)]): Unit = Json.append(folder.resolve("results.jsonl"), facts)
}

/** One check against a service: `run` returns its observations, and throws if the check fails. */
final class Check private (val name: String, val run: () => Seq[(String, Any)])

object Check {

  /** A check with its observations; a body of another type has none. */
  def apply(name: String)(body: => Any): Check = new Check(name, () => body match {
    case seen: Seq[_] => seen.collect { case (key: String, value) => key -> value }
    case _            => Nil
  })

  def require(condition: Boolean, what: => String): Unit = if (!condition) throw new IllegalStateException(what)

  /** Runs the checks in sequence. After each check there must be no leases, waiting tasks or resident versions. */
  def all(checks: Seq[Check], bench: Bench, report: Seq[(String, Any)] => Unit): Unit = each(checks, report)(bench.requireQuiet())

  /** Runs the checks in sequence, and `after` after each check that passes. */
  def each(checks: Seq[Check], report: Seq[(String, Any)] => Unit)(after: => Unit): Unit = checks.foreach { check =>
    println(s"progress: ${check.name}")
    val started = System.nanoTime()
    val seen =
      try {
        val seen = check.run()
        after
        seen
      } catch {
        case t: Throwable =>
          t.printStackTrace()
          Seq("error" -> t.toString)
      } finally Halting.disarm()
    report(Seq("check" -> check.name, "ms" -> (System.nanoTime() - started) / 1000000) ++ seen)
  }
}

/** Checks with a Hive metastore and a Kafka broker, processes on the loopback interface that checks/services/hive.py and kafka.py start. */
private object Hive {

  def run(folder: Path, option: Map[String, String], report: Seq[(String, Any)] => Unit): Unit = {
    val warehouse = Paths.get(option("warehouse"))
    val spark = SparkSession.builder().appName("andiron-services")
      .config("spark.sql.catalogImplementation", "hive")
      .config("spark.hadoop.hive.metastore.uris", option("metastore"))
      .config("spark.sql.warehouse.dir", warehouse.toString)
      .config("spark.sql.shuffle.partitions", "2")
      .config("spark.andiron.log.dir", folder.resolve("log").toString)
      .config("spark.andiron.cache.dir", folder.resolve("cache").toString)
      .getOrCreate()
    val (gates, ingest) = (new HiveGates(spark, warehouse), new HiveIngest(spark, folder, option))
    try Check.each(gates.checks ++ ingest.checks, report)(())
    finally spark.stop()
  }
}
