package andiron

import java.util.UUID

import org.apache.spark.SparkConf
import org.apache.spark.sql.SparkSession

import andiron.internal.{DriverChecks, Requirements}
import andiron.internal.cache.{CatalogId, CatalogSpec, CatalogState, ExecutorCache, HadoopSettings, SharedSpec, SourceSurvey}
import andiron.internal.util.UnknownSettings

/** Makes catalogs and tables. */
object VersionedData {

  /**
   * The catalog of a dataset's versions, for use in the tasks of `spark`. Only the list is sent to the executors, not
   * the data.
   *
   * Sources are read with the current settings of this session's `spark.read`, from `spark.conf.set`, SQL's `SET` and
   * the application. The catalog keeps them: renewed credentials apply to later catalogs only, unless a credential
   * provider named in the settings fetches them. The catalog ends when it is closed or, like a broadcast, when it is no
   * longer reachable on the driver.
   *
   * Looks up size and modification time of every source that does not declare both bytes and checksum. Throws an
   * AndironException if a name is null, empty or duplicate, if there are no versions, if a source is missing, or if
   * Andiron is disabled. Call it on the driver.
   */
  def catalog[V](spark: SparkSession, dataset: String, versions: Seq[Version], loader: Loader[V]): Catalog[V] = {
    val conf = check(spark)
    val context = spark.sparkContext
    val id = CatalogId(context.applicationId, UUID.randomUUID().toString, dataset)
    val hadoop = HadoopSettings.of(spark)
    val encrypted = conf.getBoolean("spark.io.encryption.enabled", defaultValue = false)
    val specs = new SourceSurvey(id, loader, hadoop, encrypted).survey(versions)
    ExecutorCache.stopWith(context)
    val spec = SharedSpec.of(context, new CatalogSpec[V](id, specs, loader, hadoop))
    new Catalog[V](id, spec, CatalogState.of(id), Missing.Fail, context.longAccumulator)
  }

  /** For Java. */
  def catalog[V](spark: SparkSession, dataset: String, versions: java.util.List[Version], loader: Loader[V]): Catalog[V] =
    catalog(spark, dataset, versions.toArray(Array.empty[Version]).toSeq, loader)

  /**
   * The table in a directory, `uri` as Hadoop reads it, which need not exist before the first version is published. Reads
   * the list of its versions, with the current settings of this session as for [[catalog]]. Call it on the driver.
   *
   * Throws a TableException if the table's documents are damaged or of a later release, and an exception with the
   * code 117 while `spark.io.encryption.enabled` is set: executors map the table's files from the local disk as they are.
   */
  def table(spark: SparkSession, uri: String): Table = {
    if (check(spark).getBoolean("spark.io.encryption.enabled", defaultValue = false))
      throw AndironException.of(ErrorCode.EncryptionRefused,
        s"table $uri: executors keep a table's segments in local files, as they are, which is refused while spark.io.encryption.enabled is set: turn " +
          "the encryption of local files off, or join the rows with Spark", null)
    new Table(spark, uri, HadoopSettings.of(spark))
  }

  private def check(spark: SparkSession): SparkConf = {
    Requirements.require()
    val conf = spark.sparkContext.getConf
    AndironConf.requireEnabled(conf)
    UnknownSettings.refuse(conf)
    AndironConf.validate(conf)
    DriverChecks.warnIfTooLarge(conf)
    conf
  }
}
