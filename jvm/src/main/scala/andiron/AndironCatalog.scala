package andiron

import java.util.{Map => JavaMap}

import org.apache.spark.andironshim.TableInternals
import org.apache.spark.sql.SparkSession
import org.apache.spark.sql.connector.catalog.{Identifier, Table => SparkTable, TableCatalog, TableChange}
import org.apache.spark.sql.connector.expressions.Transform
import org.apache.spark.sql.types.StructType
import org.apache.spark.sql.util.CaseInsensitiveStringMap

import andiron.internal.cache.{AndironErrors, HadoopSettings}
import andiron.internal.source.SourceTables
import andiron.internal.table.{LookupRegistry, TableFiles}

/**
 * The catalog of tables for SQL: `SELECT * FROM andiron.features VERSION AS OF '2026-06-01'`, `TIMESTAMP AS OF` for the
 * version that is valid then, the newest version without either. Spark makes it; the plugin sets
 * `spark.sql.catalog.andiron` to this class unless it is set.
 *
 * A name is that of [[Table.register]], or that of a directory in `spark.sql.catalog.andiron.warehouse`. Read-only: versions
 * are published by [[Table.publish]].
 */
final class AndironCatalog extends TableCatalog {
  private var own = "andiron"
  private var warehouse: Option[String] = None

  override def initialize(name: String, options: CaseInsensitiveStringMap): Unit = {
    own = name
    warehouse = Option(options.get("warehouse")).map(_.stripSuffix("/"))
  }

  override def name(): String = own

  override def listTables(namespace: Array[String]): Array[Identifier] = {
    val registered = if (namespace.isEmpty) LookupRegistry.names else Nil
    val found = warehouse.toSeq.flatMap(root => TableFiles.below((root +: namespace).mkString("/"), HadoopSettings.of(SparkSession.active)))
    (registered ++ found).distinct.map(name => Identifier.of(namespace, name)).toArray
  }

  override def loadTable(ident: Identifier): SparkTable = table(ident).asSource(None)

  override def loadTable(ident: Identifier, version: String): SparkTable = table(ident).asSource(Some(version))

  /** `micros` since 1970. */
  override def loadTable(ident: Identifier, micros: Long): SparkTable = {
    val of = table(ident)
    of.asSource(Some(of.validAt(micros)))
  }

  private def table(ident: Identifier): Table = LookupRegistry.find(ident.name).filter(_ => ident.namespace.isEmpty).getOrElse {
    val root = warehouse.getOrElse(throw AndironErrors.bad(
      s"no table is registered as '$ident': give it that name by table.register, or set spark.sql.catalog.$own.warehouse to the directory that has the tables"))
    val found = SourceTables.at((root +: ident.namespace :+ ident.name).mkString("/"))
    if (found.versions.isEmpty) throw TableInternals.noSuchTable(ident)
    found
  }

  override def createTable(ident: Identifier, schema: StructType, partitions: Array[Transform], properties: JavaMap[String, String]): SparkTable = refuse()

  override def alterTable(ident: Identifier, changes: TableChange*): SparkTable = refuse()

  override def dropTable(ident: Identifier): Boolean = refuse()

  override def renameTable(from: Identifier, to: Identifier): Unit = refuse()

  private def refuse(): Nothing =
    throw new UnsupportedOperationException(s"the catalog $own is read-only: publish versions by table.publish, and remove a table with its directory")
}
