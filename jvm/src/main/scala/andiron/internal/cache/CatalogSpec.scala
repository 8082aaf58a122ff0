package andiron.internal.cache

import java.io.{ObjectInputStream, ObjectOutputStream}

import org.apache.hadoop.conf.Configuration
import org.apache.spark.sql.SparkSession

import andiron.{Loader, Version}

/** A catalog's identity. `uuid` is unique everywhere; `application` is Spark's id. */
private[andiron] final case class CatalogId(application: String, uuid: String, dataset: String)

/**
 * A version as executors need it.
 *
 * @param digest identifies the content: equal digests mean equal bytes, so files can be shared
 * @param bytes size; -1 if unknown
 * @param modified modification time of the source when the catalog was made, in ms since 1970; -1 if it was not looked
 *   up
 * @param label names version, dataset and source in messages
 */
private[andiron] final case class VersionSpec(version: Version, digest: String, bytes: Long, modified: Long, label: String)

/**
 * Content of a catalog's broadcast. `versions` are in the order of their names' UTF-8 bytes, which is Spark's sort
 * order.
 */
private[andiron] final class CatalogSpec[V](
    val id: CatalogId,
    val versions: Array[VersionSpec],
    val loader: Loader[V],
    val hadoop: HadoopSettings)
    extends Serializable

/**
 * A serializable Hadoop configuration.
 *
 * @param fingerprint differs between settings under which one name may mean different files or give different access
 */
private[andiron] final class HadoopSettings private (@transient private var settings: Configuration, val fingerprint: String) extends Serializable {

  def configuration: Configuration = settings

  private def writeObject(out: ObjectOutputStream): Unit = {
    out.defaultWriteObject()
    settings.write(out)
  }

  private def readObject(in: ObjectInputStream): Unit = {
    in.defaultReadObject()
    settings = new Configuration(false)
    settings.readFields(in)
  }
}

private[andiron] object HadoopSettings {

  /** Prefixes of settings that affect neither the location of files nor the identity that reads them. */
  private val Elsewhere = Seq("spark.", "hive.", "mapreduce.", "mapred.", "yarn.", "parquet.", "orc.")

  /** The settings that `spark.read` uses: the application's, overridden by the session's. */
  def of(spark: SparkSession): HadoopSettings = {
    val settings = new Configuration(spark.sparkContext.hadoopConfiguration)
    spark.conf.getAll.foreach { case (key, value) => if (value != null) settings.set(key, value) }
    new HadoopSettings(settings, fingerprint(settings))
  }

  private def fingerprint(settings: Configuration): String = {
    var all = Vector.empty[String]
    settings.forEach(entry => if (!Elsewhere.exists(entry.getKey.startsWith)) all :+= s"${entry.getKey}=${entry.getValue}")
    SourceSurvey.sha256(all.sorted)
  }
}

/** The mutable part of a catalog. An executor has a copy from the time when the task was submitted. */
private[andiron] final class CatalogState extends Serializable {
  @volatile private var isClosedFlag = false
  @volatile private var hint = DemandHint(0, Map.empty)

  def isClosed: Boolean = isClosedFlag

  def demand: DemandHint = hint

  /** Closes the catalog; true for the first call only. */
  def close(): Boolean = synchronized {
    val first = !isClosedFlag
    isClosedFlag = true
    first
  }

  def hintDemand(tasks: Map[String, Long]): Unit = synchronized {
    hint = DemandHint(hint.epoch + 1, tasks)
  }
}

private[andiron] object CatalogState {

  /** State of a catalog made in this process. Once it is unreachable, the catalog ends in all processes. */
  def of(id: CatalogId): CatalogState = {
    val state = new CatalogState
    Views.cleaner.register(state, new LetGo(id))
    state
  }

  private final class LetGo(id: CatalogId) extends Runnable {
    override def run(): Unit = ExecutorCache.letGo(id)
  }
}

/** Number of tasks expected to need each version. Of two hints, the one with the greater epoch is valid. */
private[andiron] final case class DemandHint(epoch: Long, tasks: Map[String, Long])
