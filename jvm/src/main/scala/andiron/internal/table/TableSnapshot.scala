package andiron.internal.table

import java.nio.charset.StandardCharsets.UTF_8
import java.util.UUID

import org.apache.spark.sql.SparkSession

import andiron.{Bytes, Catalog, Loader, Version, VersionedData}
import andiron.internal.boundary.{NativeLibrary, NativeTable}

/**
 * The versions that a table had at one moment, as tasks use them: the segments as the versions of one catalog, the
 * lines as those of another. Immutable.
 */
private[andiron] final class TableSnapshot(val spec: SharedTableSpec, val segments: Catalog[Bytes], val lines: Catalog[Line]) extends Serializable

private[andiron] object TableSnapshot {

  /** `state` has at least one version. */
  def of(spark: SparkSession, files: TableFiles, state: TableState): TableSnapshot = {
    NativeLibrary.load()
    val (description, newest) = (state.description.get, state.lines)
    val uri = files.uri
    val segments = newest.flatMap(_.files).map(file => Version(file.name, files.segment(file.name), Some(file.bytes), Some(file.checksum)))
    val ofSegments = if (segments.isEmpty) null else VersionedData.catalog(spark, uri, segments, Loader.bytes)
    val ofLines = newest.zipWithIndex.map { case (manifest, number) =>
      Version(LineSpec.name(number), uri, Some(NativeTable.indexEstimate(description.text, manifest.text, uri)))
    }
    val texts = newest.zipWithIndex.map { case (manifest, number) => LineSpec.name(number) -> manifest.text }.toMap
    val lines = VersionedData.catalog(spark, s"$uri (index)", ofLines, loader(uri, description.text, texts))
    val text = TableSpec.text(uri, state).getBytes(UTF_8)
    new TableSnapshot(new SharedTableSpec(UUID.randomUUID().toString, spark.sparkContext.broadcast(text)), ofSegments, lines)
  }

  /** Opens lines without files; their index is charged by the estimate that their version declares. */
  private def loader(uri: String, description: String, newest: Map[String, String]): Loader[Line] =
    Loader.custom((version: Version) => new Line(new TableDescription(description), new TableManifest(newest(version.name)), uri))((line: Line) => line.estimate)
}
