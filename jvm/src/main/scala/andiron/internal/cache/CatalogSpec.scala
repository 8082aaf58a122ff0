package andiron.internal.cache

import java.io.{ObjectInputStream, ObjectOutputStream}

import org.apache.hadoop.conf.Configuration
import org.apache.spark.sql.SparkSession

import andiron.{Loader, Version}

/** A catalog's identity. `uuid` is unique everywhere; `application` is Spark's id. */
private[andiron] final case class CatalogId(application: String, uuid: String, dataset: String)

/**
 * A version as the executors need it.
 *
 * @param digest names its content: equal digests have equal bytes, so that files can be shared
 * @param bytes its size; -1 if unknown
 * @param modified the source's modification time when the catalog was made, in ms since 1970; -1 if it was not looked up
 * @param label names version, dataset and source in messages
 */
private[andiron] final case class VersionSpec(version: Version, digest: String, bytes: Long, modified: Long, label: String)

/** What the broadcast of a catalog carries. `versions` are in the order of their names' UTF-8 bytes, which is Spark's sort order. */
private[andiron] final class CatalogSpec[V](
    val id: CatalogId,
    val versions: Array[VersionSpec],
    val loader: Loader[V],
    val hadoop: HadoopSettings)
    extends Serializable

/**
 * A Hadoop configuration that can be serialised.
 *
 * @param fingerprint tells apart settings with which one name may mean different files, or be seen by different users
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

  /** Settings of these families say nothing of where and as whom files are read. */
  private val Elsewhere = Seq("spark.", "hive.", "mapreduce.", "mapred.", "yarn.", "parquet.", "orc.")

  /** Those with which `spark.read` reads: the application's, and over them all that the session sets. */
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

/** What may change in a catalog after it was made. On an executor this is a copy, as it was when the task was submitted. */
private[andiron] final class CatalogState extends Serializable {
  @volatile private var isClosedFlag = false
  @volatile private var hint = DemandHint(0, Map.empty)

  def isClosed: Boolean = isClosedFlag

  def demand: DemandHint = hint

  /** Whether this call is the one that closes it. */
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

  /** That of a catalog that this process makes. When nothing can reach it any more the catalog has ended, in all processes. */
  def of(id: CatalogId): CatalogState = {
    val state = new CatalogState
    Views.cleaner.register(state, new LetGo(id))
    state
  }

  private final class LetGo(id: CatalogId) extends Runnable {
    override def run(): Unit = ExecutorCache.letGo(id)
  }
}

/** How many tasks are expected to want each version; of two hints the one with the greater epoch holds. */
private[andiron] final case class DemandHint(epoch: Long, tasks: Map[String, Long])
