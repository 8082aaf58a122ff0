package andiron.internal.source

import java.util.{Map => JavaMap}
import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.atomic.AtomicLong

import org.apache.spark.sql.{DataFrame, SparkSession}
import org.apache.spark.sql.connector.catalog.{Table => SparkTable, TableProvider}
import org.apache.spark.sql.connector.expressions.Transform
import org.apache.spark.sql.types.StructType
import org.apache.spark.sql.util.CaseInsensitiveStringMap

/**
 * The way of a version into Spark's reader. It has no short name: a data source called `andiron` would hide the tables of the
 * catalog `andiron` from SQL. Spark makes it.
 */
final class VersionSource extends TableProvider {
  override def inferSchema(options: CaseInsensitiveStringMap): StructType = VersionSource.find(options).schema

  override def getTable(schema: StructType, partitioning: Array[Transform], properties: JavaMap[String, String]): SparkTable =
    VersionSource.find(new CaseInsensitiveStringMap(properties))
}

private[andiron] object VersionSource {
  private val Token = "token"
  private val offered = new ConcurrentHashMap[String, VersionTable]
  private val tokens = new AtomicLong

  /** The rows of a version. */
  def read(spark: SparkSession, version: VersionTable): DataFrame = {
    val token = tokens.incrementAndGet().toString
    offered.put(token, version)
    try spark.read.format(classOf[VersionSource].getName).option(Token, token).load()
    finally offered.remove(token): Unit
  }

  private def find(options: CaseInsensitiveStringMap): VersionTable = Option(options.get(Token)).flatMap(token => Option(offered.get(token))).getOrElse(
    throw new IllegalArgumentException("a version of a table is read by table.read(version), or by SQL from the catalog `andiron`"))
}
