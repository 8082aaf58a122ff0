package andiron.internal.source

import java.util.concurrent.ConcurrentHashMap

import org.apache.spark.sql.SparkSession

import andiron.{Table, VersionedData}
import andiron.internal.cache.ExecutorCache

/**
 * The tables that queries name by their directory, one object for each directory and application, so that queries of the
 * same versions share an index. Any thread of the driver.
 */
private[andiron] object SourceTables {
  private val known = new ConcurrentHashMap[(String, String), Table]

  /** The table of a directory, with the versions that it has now. */
  def at(uri: String): Table = {
    val spark = SparkSession.active
    known.keySet.removeIf { case (application, _) => !ExecutorCache.isRunning(application) }: Unit
    val key = (spark.sparkContext.applicationId, uri)
    val found = known.get(key)
    if (found == null) {
      val made = VersionedData.table(spark, uri)
      Option(known.putIfAbsent(key, made)).getOrElse(made)
    } else {
      found.refresh()
      found
    }
  }
}
