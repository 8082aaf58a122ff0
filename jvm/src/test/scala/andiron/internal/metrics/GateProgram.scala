package andiron.internal.metrics

import java.nio.file.Path
import java.util.concurrent.ConcurrentHashMap

import com.fasterxml.jackson.databind.JsonNode
import org.apache.spark.HashPartitioner
import org.apache.spark.rdd.RDD
import org.apache.spark.sql.{Dataset, Encoder, Encoders, SparkSession}
import org.apache.spark.sql.execution.columnar.InMemoryRelation
import org.apache.spark.storage.{RDDBlockId, StorageLevel}

import andiron._

/** A program of `tests/model`, as its `gate-programs` writes it, on a real Spark. */
final class GateProgram(spark: SparkSession, program: JsonNode, directory: Path) {
  private val plan = GatePlan(program.toString)
  private val step = Step(spark, "programs")
  private val gate = Gate(step, maxDropRatio = program.path("ratio").asDouble, minRows = program.path("min_rows").asLong,
    onZeroRows = if (program.path("zero_rows_pass").asBoolean) ZeroRows.Pass else ZeroRows.Fail)
  private implicit val long: Encoder[Long] = Encoders.scalaLong
  private val nodes = items(program.path("nodes")).foldLeft(Vector.empty[Either[RDD[Long], Dataset[Long]]])((known, node) => known :+ made(node, known.size, known))

  /** The verdict on each write and guard: by action, and by the number of the write in it. */
  def run(): Map[(Int, Int), String] = {
    val told = items(program.path("actions")).flatMap(act)
    step.close()
    nodes.foreach(_.fold(_.unpersist(blocking = true), _.unpersist(blocking = true)))
    told.toMap
  }

  private def items(of: JsonNode): Vector[JsonNode] = {
    var all = Vector.empty[JsonNode]
    of.forEach(item => all :+= item)
    all
  }

  private def rdd(of: Either[RDD[Long], Dataset[Long]]): RDD[Long] = of.fold(identity, _.rdd)

  private def made(node: JsonNode, site: Int, known: Vector[Either[RDD[Long], Dataset[Long]]]): Either[RDD[Long], Dataset[Long]] = {
    val (rows, partitions) = (node.path("rows").asInt, node.path("partitions").asInt)
    def parent = known(node.path("parent").asInt)
    def other = known(node.path("other").asInt)
    val of = plan
    val map = (row: Long) => if (of.drops(site + 1, row)) sys.error(s"no history of $row") else row
    val isDataset = node.path("dataset").asBoolean
    def source = spark.sparkContext.parallelize(0 until partitions, partitions).mapPartitionsWithIndex((at, _) => of.source(at.toLong * rows, rows))
    lazy val (as, bs) = (rdd(parent), rdd(other))
    lazy val (ad, bd) = (dataset(parent), dataset(other))
    val result: Either[RDD[Long], Dataset[Long]] = (node.path("op").asText, isDataset) match {
      case ("source", false)   => Left(source)
      case ("source", true)    => Right(spark.createDataset(source))
      case ("step", false)     => Left(step.map(as)(map))
      case ("step", true)      => Right(step.map(ad)(map))
      case ("map", false)      => Left(as.map(row => row))
      case ("map", true)       => Right(ad.map(row => row))
      case ("union", false)    => Left(as.union(bs))
      case ("union", true)     => Right(ad.union(bd))
      case ("coalesce", false) => Left(as.coalesce(partitions))
      case ("coalesce", true)  => Right(ad.coalesce(partitions))
      case ("take", false)     => Left(as.mapPartitions(_.take(rows)))
      case ("take", true)      => Right(ad.mapPartitions(_.take(rows)))
      case ("shuffle", false)  => Left(as.map(row => (row, 0)).partitionBy(new HashPartitioner(partitions)).mapPartitions(_.map(_._1)))
      case ("shuffle", true)   => Right(ad.repartition(partitions, ad.col(ad.columns.head)))
      case ("limit", true)     => Right(ad.limit(rows))
      case (op, _)             => sys.error(op)
    }
    if (node.path("kept").asBoolean) result.fold(_.persist(StorageLevel.MEMORY_ONLY), _.persist(StorageLevel.MEMORY_ONLY)): Unit
    result
  }

  private def dataset(of: Either[RDD[Long], Dataset[Long]]): Dataset[Long] = of.fold(spark.createDataset(_), identity)

  private def act(action: JsonNode): Seq[((Int, Int), String)] = {
    val number = action.path("action").asInt
    val targets = items(action.path("nodes")).map(_.asInt)
    val rows = items(action.path("rows")).map(_.asInt)
    action.path("what").asText match {
      case "count"           => attempt(number)(count(targets.head, 0)): Unit; Nil
      case "take"            => attempt(number)(count(targets.head, rows.head)): Unit; Nil
      case "write"           =>
        val told = new ConcurrentHashMap[Int, String]
        val threads = targets.indices.map(part => new Thread(() => told.put(part, attempt(number)(write(targets(part), s"$number-$part"))): Unit))
        if (threads.size == 1) threads.head.run() else { threads.foreach(_.start()); threads.foreach(_.join()) }
        targets.indices.map(part => (number, part) -> told.get(part))
      case "guard"           => Seq((number, 0) -> attempt(number)(Andiron.guard(gate)(targets.zip(rows).foreach { case (node, most) => count(node, most) })))
      case "persist"         => nodes(targets.head).left.foreach(rdd => if (rdd.getStorageLevel == StorageLevel.NONE) rdd.persist(): Unit); Nil
      case "unpersist"       => nodes(targets.head).left.foreach(rdd => if (!rdd.isCheckpointed) rdd.unpersist(blocking = true): Unit); Nil
      case "checkpoint"      => nodes(targets.head).left.foreach(_.checkpoint()); Nil
      case "localCheckpoint" => nodes(targets.head).left.foreach(_.localCheckpoint(): Unit); Nil
      case "lose"            => lose(targets.head, rows.head); Nil
    }
  }

  /** An action and its verdict: "passed", "failed" or "unknown"; any other text is the error of the action. */
  private def attempt(number: Int)(body: => Unit): String = {
    val context = spark.sparkContext
    context.setLocalProperty(GatePlan.Action, number.toString)
    context.setJobGroup(s"program action $number", "a gate program", interruptOnCancel = true)
    try {
      body
      "passed"
    } catch {
      case e: Exception =>
        Iterator.iterate[Throwable](e)(_.getCause).takeWhile(_ != null).collectFirst { case gate: GateException => if (gate.code == 201) "unknown" else "failed" }
          .getOrElse(s"did not run: $e")
    } finally {
      context.clearJobGroup()
      context.setLocalProperty(GatePlan.Action, null)
    }
  }

  private def count(node: Int, most: Int): Unit = {
    val of = plan
    nodes(node) match {
      case Left(rdd) if most > 0 => spark.sparkContext.runJob(rdd.mapPartitions(of.end), (rows: Iterator[Long]) => rows.take(most).size, Seq(0)): Unit
      case Left(rdd)             => rdd.mapPartitions(of.end).count(): Unit
      case Right(rows)           => rows.mapPartitions(of.end).rdd.count(): Unit
    }
  }

  private def write(node: Int, name: String): Unit = {
    val of = plan
    dataset(nodes(node)).mapPartitions(of.end).write.parquet(directory.resolve(name).toString)
  }

  private def lose(node: Int, partition: Int): Unit = {
    val id = nodes(node).fold(_.id, _.queryExecution.withCachedData.collectFirst { case cached: InMemoryRelation => cached.cacheBuilder.cachedColumnBuffers.id }.get)
    org.apache.spark.SparkEnv.get.blockManager.removeBlock(RDDBlockId(id, partition))
  }
}

object GateProgram {

  /** Whether an RDD is made of a Dataset with a persisted one below: adaptive execution fills the cache at once then, before any action of the program. */
  def fillsEarly(program: JsonNode): Boolean = {
    val nodes = program.path("nodes")
    def parents(node: JsonNode): Seq[JsonNode] = Seq("parent", "other").map(node.path(_)).filter(_.isNumber).map(at => nodes.path(at.asInt))
    def isKept(node: JsonNode): Boolean = node.path("dataset").asBoolean && node.path("kept").asBoolean || parents(node).exists(isKept)
    var found = false
    nodes.forEach(node => found ||= !node.path("dataset").asBoolean && parents(node).exists(isKept))
    found
  }

  /** Whether the written rows of an action come from a step; a guard judges past evaluations, and always counts. */
  def hasStep(program: JsonNode, action: Int, part: Int): Boolean = {
    var found = true
    program.path("actions").forEach { one =>
      if (one.path("action").asInt == action && one.path("what").asText == "write") found = isOfStep(program.path("nodes"), one.path("nodes").path(part).asInt)
    }
    found
  }

  private def isOfStep(nodes: JsonNode, at: Int): Boolean = {
    val node = nodes.path(at)
    node.path("op").asText == "step" || Seq("parent", "other").map(node.path(_)).filter(_.isNumber).exists(parent => isOfStep(nodes, parent.asInt))
  }
}
