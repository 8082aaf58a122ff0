package andiron.internal.python

import com.fasterxml.jackson.databind.JsonNode
import com.fasterxml.jackson.databind.node.ObjectNode
import org.apache.spark.sql.SparkSession

import andiron._
import andiron.internal.cache.{AndironErrors, DriverReports}
import andiron.internal.metrics.{GateKeeper, GuardSession}
import andiron.internal.util.Json

/** The driver's functions for the Python package (in python/), in types that Py4J can transfer: texts are JSON. */
object PythonDriver {

  /**
   * A catalog that Python workers can lease from: of bytes, or of files that keep their names (`files`). `versions` is
   * a list of objects with name, source, bytes, checksum and immutable.
   */
  def catalog(spark: SparkSession, dataset: String, versions: String, files: Boolean): Catalog[_] = {
    val conf = spark.sparkContext.getConf
    AndironConf.requireEnabled(conf)
    val missing =
      if (DriverReports.latest.isEmpty) Some("spark.plugins=andiron.AndironPlugin is not set")
      else if (!AndironConf.PythonEnabled.in(conf)) Some(s"${AndironConf.PythonEnabled.key} is false")
      else None
    missing.foreach(why => throw new SettingException(ErrorCode.BadSetting,
      s"dataset '$dataset' cannot be leased by Python workers, since $why: change it before the application starts", null))
    var all = Vector.empty[Version]
    Json.parse(versions).forEach(version => all :+= versionOf(version))
    val made = if (files) VersionedData.catalog(spark, dataset, all, Loader.files) else VersionedData.catalog(spark, dataset, all, Loader.bytes)
    DriverCatalogs.add(made)
    made
  }

  private def versionOf(node: JsonNode): Version = Version(
    node.path("name").asText(), node.path("source").asText(), Option(node.get("bytes")).filterNot(_.isNull).map(_.asLong()),
    Option(node.get("checksum")).filterNot(_.isNull).map(_.asText()), node.path("immutable").asBoolean(false))

  /** A worker's description of a catalog: its id, its application, and the names of its versions in order. */
  def describe(catalog: Catalog[_]): String = {
    val node = Json.node().put("catalog", catalog.id.uuid).put("application", catalog.id.application).put("dataset", catalog.dataset)
    node.set[ObjectNode]("versions", Json.array(catalog.versions))
    Json.text(node)
  }

  /** [[Catalog.close]]. */
  def close(catalog: Catalog[_]): Unit = {
    DriverCatalogs.remove(catalog.id.uuid)
    catalog.close()
  }

  /** [[Catalog.demand]] for an object of numbers by version. */
  def demand(catalog: Catalog[_], tasks: String): Unit = {
    var all = Map.empty[String, Long]
    Json.parse(tasks).fields().forEachRemaining(entry => all += entry.getKey -> entry.getValue.asLong())
    catalog.demand(all)
  }

  /** [[Andiron.cacheStats]]: a list of objects with executor, final and figures. */
  def cacheStats(spark: SparkSession): String = {
    val all = Json.list()
    Andiron.cacheStats(spark).foreach { stats =>
      val figures = Json.node()
      stats.figures.foreach { case (name, value) => figures.put(name, value) }
      val node = Json.node().put("executor", stats.executor).put("final", stats.isFinal)
      node.set[ObjectNode]("figures", figures)
      all.add(node)
    }
    Json.text(all)
  }

  /** [[Andiron.cacheTotals]]: an object of numbers. */
  def cacheTotals(spark: SparkSession): String = {
    val figures = Json.node()
    Andiron.cacheTotals(spark).foreach { case (name, value) => figures.put(name, value) }
    Json.text(figures)
  }

  /** A step's figures: an object with counters, exact and reason. */
  def figures(step: Step): String = {
    val (found, counters) = (step.figures, Json.node())
    found.counters.foreach { case (name, value) => counters.put(name, value) }
    val node = Json.node().put("step", found.step).put("exact", found.exact).put("reason", found.reason)
    node.set[ObjectNode]("counters", counters)
    Json.text(node)
  }

  /** [[Gate]]; `zeroRows` and `unknown` are `pass` or `fail`. */
  def gate(
      step: Step,
      maxDropRatio: Double,
      maxDropped: Long,
      minRows: Long,
      zeroRows: String,
      unknown: String,
      minOutRatio: Double,
      maxCounters: java.util.Map[String, Double]): Gate = {
    def passes(word: String, on: String): Boolean = word match {
      case "pass" => true
      case "fail" => false
      case other  => throw AndironErrors.bad(s"the gate on $step cannot '$other' on $on: use pass or fail")
    }
    var counters = Map.empty[String, Double]
    maxCounters.forEach((name, most) => counters += name -> most)
    Gate(step, maxDropRatio, maxDropped, minRows, if (passes(zeroRows, "zero rows")) ZeroRows.Pass else ZeroRows.Fail,
      if (passes(unknown, "unknown figures")) OnUnknown.Pass else OnUnknown.Fail, minOutRatio, counters)
  }

  /** Opens a guard around the calling thread's subsequent actions. */
  def guard(gates: java.util.List[Gate]): GuardSession = new GuardSession(gates.toArray(Array.empty[Gate]).toSeq)

  /** Whether a gate caused the exception. */
  def isOfGate(error: Throwable): Boolean = GateKeeper.isOurs(error)
}
