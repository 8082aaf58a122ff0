package andiron.internal.table

import scala.util.control.NonFatal

import com.fasterxml.jackson.databind.JsonNode
import org.apache.spark.andironshim.PrivateTypes.InternalRow
import org.apache.spark.andironshim.TableInternals
import org.apache.spark.rdd.RDD
import org.apache.spark.sql.{DataFrame, SparkSession}
import org.apache.spark.sql.types.StructType

import andiron.{AndironException, ErrorCode}
import andiron.internal.boundary.NativeTable
import andiron.internal.cache.{AndironErrors, HadoopSettings}
import andiron.internal.util.Json

/** What to publish. `key` is empty for the key of the table that exists; `shards` is 0 for a number from the rows. */
private[andiron] final case class NewVersion(version: String, key: Seq[String], validFrom: Option[Long], isBase: Boolean, shards: Int)

/** Publishes a version: tasks write segments, then the driver writes the manifest. */
private[andiron] final class Publisher(spark: SparkSession, files: TableFiles, source: String, settings: HadoopSettings) {
  private val uri = files.uri

  /**
   * `state` is the table's, `snapshot` the same for tasks if there are versions. `judge` throws if the rows that the tasks
   * have written must not be published.
   */
  def publish(rows: DataFrame, wanted: NewVersion, state: TableState, snapshot: => TableSnapshot, judge: () => Unit): Unit = {
    check(rows, wanted, state)
    val key = keyNames(wanted, state)
    val columns = TableSchema.columnsOf(rows.schema, key.toSet, uri)
    val description = describe(rows, wanted, state, key, columns)
    val request = Json.node().put("version", wanted.version).put("base", wanted.isBase)
    wanted.validFrom.foreach(micros => request.put("validFrom", micros))
    request.set[JsonNode]("columns", columns): Unit
    val parent = state.newest
    val draft = NativeTable.draft(description.text, parent.fold("")(_.text), Json.text(request), uri)
    val manifest = new TableManifest(draft)
    val before = parent.filter(_ => manifest.base != manifest.ordinal).map(newest => (snapshot, newest.text))
    val parts = write(rows, description, manifest.schema, draft, before)
    judge()
    val complete = NativeTable.complete(description.text, draft, parts.mkString("[", ",", "]"), uri)
    if (state.description.isEmpty && !files.createDescription(description.text)) throw overtaken(wanted)
    if (!files.createManifest(manifest.ordinal, complete)) throw overtaken(wanted)
  }

  private def check(rows: DataFrame, wanted: NewVersion, state: TableState): Unit = {
    if (wanted.version == null || wanted.version.isEmpty) throw AndironErrors.bad(s"table $uri: a version needs a name")
    if (rows.isStreaming) throw AndironErrors.bad(s"table $uri: a streaming Dataset cannot be published: use writeStream.foreachBatch, and publish each batch")
    if (state.versions.exists(_.name == wanted.version))
      throw AndironException.of(ErrorCode.TableConflict,
        s"table $uri has a version '${wanted.version}', and a version never changes: publish under another name", null)
  }

  /** The names of the key columns in the rows. */
  private def keyNames(wanted: NewVersion, state: TableState): Seq[String] = state.newest.zip(state.description).headOption match {
    case None if wanted.key.isEmpty => throw AndironErrors.bad(s"table $uri: the first version names its key columns, as in key = Seq(name)")
    case None                       => wanted.key
    case Some((newest, description)) =>
      val names = description.key.flatMap(id => newest.schema.column(id).map(_.name))
      if (wanted.key.nonEmpty && wanted.key != names)
        throw AndironException.of(ErrorCode.TableSchema,
          s"table $uri has the key (${names.mkString(", ")}), and not (${wanted.key.mkString(", ")}): leave it out, or make a table of its own", null)
      names
  }

  /** The table's description; a new one if it has no version. */
  private def describe(rows: DataFrame, wanted: NewVersion, state: TableState, key: Seq[String], columns: JsonNode): TableDescription =
    if (state.versions.nonEmpty) state.description.get
    else {
      def made(shards: Int): TableDescription = {
        val random = java.util.concurrent.ThreadLocalRandom.current()
        val request = Json.node().put("table", random.nextLong()).put("seed", random.nextLong()).put("shards", shards)
        request.set[JsonNode]("columns", columns): Unit
        request.set[JsonNode]("key", Json.array(key)): Unit
        new TableDescription(NativeTable.newTable(Json.text(request), uri))
      }
      state.description match {
        case Some(left) if made(1).key == left.key => left
        case Some(_) =>
          throw AndironException.of(ErrorCode.TableConflict,
            s"table $uri has a description and no version, and its key is another one: an earlier publish has ended before its manifest was written; " +
              "remove the table's directory and publish again", null)
        case None => made(if (wanted.shards > 0) wanted.shards else shardsFor(rows, made(1), columns))
      }
    }

  /** Packs all rows once to know their number and size. */
  private def shardsFor(rows: DataFrame, one: TableDescription, columns: JsonNode): Int = {
    val request = Json.node().put("version", "count").put("base", true)
    request.set[JsonNode]("columns", columns): Unit
    val schema = new TableManifest(NativeTable.draft(one.text, "", Json.text(request), uri)).schema
    val packed = records(rows, one, schema).mapPartitions { all =>
      var (count, bytes) = (0L, 0L)
      all.foreach { case (_, record) =>
        count += 1
        bytes += record.length
      }
      Iterator((count, bytes))
    }
    val sizes = typed(packed.collect())
    NativeTable.shardsFor(sizes.map(_._2).sum, sizes.map(_._1).sum)
  }

  private def write(
      rows: DataFrame, description: TableDescription, schema: TableSchema, draft: String, parent: Option[(TableSnapshot, String)]): Seq[String] = {
    val tasks = math.min(description.shards, math.max(1, spark.sparkContext.defaultParallelism))
    val shards = new ShardPartitioner(description.shards, tasks)
    val task = new PartTask(source, uri, description.text, draft, parent, shards, settings)
    val sorted = records(rows, description, schema).repartitionAndSortWithinPartitions(shards)
    typed(sorted.mapPartitionsWithIndex((partition, own) => Iterator(task.write(partition, own))).collect()).toSeq
  }

  /** The rows as records, by shard. */
  private def records(rows: DataFrame, description: TableDescription, schema: TableSchema): RDD[(Int, Array[Byte])] = {
    val (struct, text, table) = (rows.schema, description.text, uri)
    TableInternals.rows(rows).mapPartitions(all => Publisher.pack(all, struct, new TableDescription(text), schema, table))
  }

  /** `run` with the typed error of a task in place of Spark's. */
  private def typed[A](run: => A): A =
    try run
    catch {
      case NonFatal(e) =>
        val own = Iterator.iterate[Throwable](e)(_.getCause).takeWhile(_ != null).take(100).collectFirst { case own: AndironException => own }
        throw own.filterNot(_ eq e).fold(e) { own =>
          own.addSuppressed(e)
          own
        }
    }

  private def overtaken(wanted: NewVersion): AndironException = AndironException.of(ErrorCode.TableConflict,
    s"table $uri: another publisher has published a version while '${wanted.version}' was written, which is compared with the one before: " +
      "publish it again", null)
}

private[andiron] object Publisher {
  private def pack(rows: Iterator[InternalRow], struct: StructType, description: TableDescription, schema: TableSchema, table: String): Iterator[(Int, Array[Byte])] = {
    val unsafe = TableInternals.unsafe(struct)
    val writer = new RecordWriter(schema, description.key, description.seed, table)
    val buffer = new RecordBuffer
    rows.map { row =>
      buffer.clear()
      writer.write(unsafe(row), buffer)
      (description.shard(writer.hash), buffer.toArray)
    }
  }
}
