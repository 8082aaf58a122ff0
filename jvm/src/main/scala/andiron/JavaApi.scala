package andiron

import java.io.InputStream
import java.util.Collections

import org.apache.spark.api.java.function.{Function => JavaFunction, Function2 => JavaFunction2, VoidFunction}
import org.apache.spark.sql.{Column, Dataset, Encoder, Row, SparkSession}

import andiron.internal.cache.VersionedRows
import andiron.internal.table.{LookupRows, TableRows}

/**
 * The parts of the API that use Scala's function literals, implicits or collections, for Java. All else is called from
 * Java as from Scala: `VersionedData.catalog`, `Version.of`, `Loader.bytes()`, `catalog.cursor()`,
 * `catalog.lease(name)`, `catalog.acquireAll(names)`.
 */
object JavaApi {

  /** [[Loader.objects]] with Spark's estimate of the object's size. */
  def objects[V](load: JavaFunction2[Version, InputStream, V]): Loader[V] =
    Loader.objects[V]((version: Version, in: InputStream) => load.call(version, in))

  /** [[Loader.objects]] with the object's size from `size`. */
  def objects[V](load: JavaFunction2[Version, InputStream, V], size: JavaFunction[V, java.lang.Long]): Loader[V] =
    Loader.objects[V]((version: Version, in: InputStream) => load.call(version, in), (value: V) => size.call(value).longValue)

  /** [[Loader.custom]]. */
  def custom[V](load: JavaFunction[Version, V], size: JavaFunction[V, java.lang.Long]): Loader[V] =
    Loader.custom[V]((version: Version) => load.call(version))((value: V) => size.call(value).longValue)

  /** [[Loader.custom]] with `release` to close objects, see [[ObjectLoader]]. */
  def custom[V](load: JavaFunction[Version, V], size: JavaFunction[V, java.lang.Long], release: VoidFunction[V]): Loader[V] =
    Loader.custom[V]((version: Version) => load.call(version))((value: V) => size.call(value).longValue)((value: V) => release.call(value))

  /** `rows.mapWithVersion(catalog, version)(f)`, see [[VersionedDataset.mapWithVersion]]. */
  def mapWithVersion[T, V, U](
      rows: Dataset[T], catalog: Catalog[V], version: Column, f: JavaFunction2[T, V, U], result: Encoder[U]): Dataset[U] =
    VersionedRows.map[T, V, U](rows, catalog, version, (row: T, value: V) => f.call(row, value), result)

  /** `rows.mapWithVersion(table, version)(f)`, see [[VersionedDataset.mapWithVersion]]. */
  def mapWithVersion[T, U](rows: Dataset[T], table: Table, version: Column, f: JavaFunction2[T, TableVersion, U], result: Encoder[U]): Dataset[U] =
    TableRows.map[T, U](rows, table, version, (row: T, value: TableVersion) => f.call(row, value), result)

  /** `rows.lookup(table, on, version, select)`, see [[VersionedDataset.lookup]]. */
  def lookup(rows: Dataset[_], table: Table, on: java.util.List[String], version: Column, select: java.util.List[String]): Dataset[Row] =
    LookupRows.lookup(rows, table, LookupRows.same(seq(on)), version, seq(select), Missing.Fail)

  /** `rows.lookup(table, on, version, select, missing)`, see [[VersionedDataset.lookup]]. */
  def lookup(
      rows: Dataset[_], table: Table, on: java.util.Map[String, String], version: Column, select: java.util.List[String], missing: Missing): Dataset[Row] =
    LookupRows.lookup(rows, table, pairs(on), version, seq(select), missing)

  /** `rows.lookupAsOf(table, on, time, select)`, see [[VersionedDataset.lookupAsOf]]. */
  def lookupAsOf(rows: Dataset[_], table: Table, on: java.util.List[String], time: Column, select: java.util.List[String]): Dataset[Row] =
    LookupRows.lookupAsOf(rows, table, LookupRows.same(seq(on)), time, seq(select))

  /** `rows.lookupAsOf(table, on, time, select)`, see [[VersionedDataset.lookupAsOf]]. */
  def lookupAsOf(rows: Dataset[_], table: Table, on: java.util.Map[String, String], time: Column, select: java.util.List[String]): Dataset[Row] =
    LookupRows.lookupAsOf(rows, table, pairs(on), time, seq(select))

  /** [[Table.publish]]. */
  def publish(table: Table, rows: Dataset[Row], version: String, key: java.util.List[String]): Unit =
    table.publish(rows, version, key.toArray(Array.empty[String]).toSeq)

  /** [[Table.versions]], unmodifiable. */
  def versions(table: Table): java.util.List[String] = list(table.versions)

  /** `rows.mapPartitionsWithCursor(catalog)(f)`, see [[VersionedDataset.mapPartitionsWithCursor]]. */
  def mapPartitionsWithCursor[T, V, U](
      rows: Dataset[T],
      catalog: Catalog[V],
      f: JavaFunction2[java.util.Iterator[T], Cursor[V], java.util.Iterator[U]],
      result: Encoder[U]): Dataset[U] =
    VersionedRows.mapPartitions[T, V, U](rows, catalog, (partition: Iterator[T], cursor: Cursor[V]) => {
      val out = f.call(new JavaIterator(partition), cursor)
      new Iterator[U] {
        override def hasNext: Boolean = out.hasNext
        override def next(): U = out.next()
      }
    }, result)

  /** [[Catalog.demand]]. */
  def demand(catalog: Catalog[_], tasks: java.util.Map[String, java.lang.Long]): Unit = {
    var all = Map.empty[String, Long]
    tasks.forEach((version, count) => all += version -> count.longValue)
    catalog.demand(all)
  }

  /** [[Catalog.versions]], unmodifiable. */
  def versions(catalog: Catalog[_]): java.util.List[String] = list(catalog.versions)

  /** [[LeaseSet.versions]], unmodifiable. */
  def versions(set: LeaseSet[_]): java.util.List[String] = list(set.versions)

  /** [[Andiron.cacheStats]], unmodifiable. */
  def cacheStats(spark: SparkSession): java.util.List[ExecutorCacheStats] = list(Andiron.cacheStats(spark))

  /** An executor's figures by name, unmodifiable. */
  def figures(stats: ExecutorCacheStats): java.util.Map[String, java.lang.Long] = sorted(stats.figures)

  /** [[Andiron.cacheTotals]], unmodifiable. */
  def cacheTotals(spark: SparkSession): java.util.Map[String, java.lang.Long] = sorted(Andiron.cacheTotals(spark))

  private def sorted(figures: Map[String, Long]): java.util.Map[String, java.lang.Long] = {
    val all = new java.util.TreeMap[String, java.lang.Long]
    figures.foreach { case (name, value) => all.put(name, value) }
    Collections.unmodifiableMap(all)
  }

  private def seq(names: java.util.List[String]): Seq[String] = names.toArray(Array.empty[String]).toSeq

  private def pairs(names: java.util.Map[String, String]): Seq[(String, String)] = {
    var all = Vector.empty[(String, String)]
    names.forEach((column, key) => all :+= column -> key)
    all
  }

  private def list[A](values: Seq[A]): java.util.List[A] = {
    val all = new java.util.ArrayList[A](values.size)
    values.foreach(value => all.add(value))
    Collections.unmodifiableList(all)
  }

  private final class JavaIterator[T](rows: Iterator[T]) extends java.util.Iterator[T] {
    override def hasNext: Boolean = rows.hasNext
    override def next(): T = rows.next()
  }
}
