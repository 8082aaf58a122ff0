package andiron.internal.boundary

import andiron.AndironException

/**
 * The native entries for tables; the rules of [[Native]] apply. Documents are the texts of the table's files, and
 * `table` is the table's name in messages. docs/internals/tables.md defines files, rows and index.
 */
private[andiron] object NativeTable {

  /** Throws a TableException unless `text` is a description. */
  @native def checkDescription(text: String, table: String): Unit

  /** Throws a TableException unless `text` is the manifest of version `ordinal` of the table with this description. */
  @native def checkManifest(description: String, text: String, ordinal: Long, table: String): Unit

  /** The number of shards for a first version of so many bytes and keys. */
  @native def shardsFor(bytes: Long, keys: Long): Int

  /**
   * The description of a new table. `request` is JSON: `table` and `seed` (random numbers), `shards`, `columns` (name,
   * type, nullable) and `key` (names).
   */
  @native def newTable(request: String, table: String): String

  /**
   * The manifest of a version whose rows are not yet written. `parent` is empty for a first version. `request` is JSON:
   * `version`, `validFrom` (microseconds or null), `columns`, and `base`, whether all rows are to be written.
   */
  @native def draft(description: String, parent: String, request: String, table: String): String

  /** The manifest with the parts that the tasks have written: a JSON list of results of `partFinish`. */
  @native def complete(description: String, draft: String, parts: String, table: String): String

  /** An estimate of the bytes of the index of all versions up to `manifest`, before any is loaded. */
  @native def indexEstimate(description: String, manifest: String, table: String): Long

  /** Begins the segment of one task, and returns its handle. `parent` is empty if there is none. */
  @native def openPart(description: String, draft: String, parent: String, table: String): Long

  /** Gives file number `file` of the parent's manifest, which `cursor` leases at `position`. In ascending order. */
  @native def partParent(part: Long, file: Int, cursor: Long, position: Int): Unit

  /** Adds records of the next shard: the first `length` bytes. */
  @native def partRows(part: Long, records: Array[Byte], length: Int): Unit

  /** Ends a shard: compares its records with the parent's. Shards ascend. */
  @native def partShard(part: Long, shard: Int): Unit

  /** Fills `buffer` with the next bytes of the segment; returns their number, 0 if there are none at the moment. */
  @native def partTake(part: Long, buffer: Array[Byte]): Int

  /** Ends the segment, whose name is `name`: then take the last bytes. Returns its part of the manifest, as JSON. */
  @native def partFinish(part: Long, name: String): String

  /** Opens the line of which `newest` is the newest manifest, without files, and returns its handle. */
  @native def openLine(description: String, newest: String, table: String): Long

  /** Gives the first `files` files of the manifest, which `cursor` leases from `position` on. Does not read them. */
  @native def lineOffer(line: Long, files: Int, cursor: Long, position: Int): Unit

  /** Brings the versions up to `version`, counted from the line's base, into the index. Reads their files. */
  @native def lineGrow(line: Long, version: Int, threads: Int): Unit

  /** The number of versions in the index. */
  @native def lineVersions(line: Long): Int

  /** Bytes of the index. */
  @native def lineBytes(line: Long): Long

  /**
   * Opens a view of a version in the index and returns its handle. `out` receives the address that records count from,
   * and that of a list of the addresses of the shards' headers. Both are valid until the view is closed.
   */
  @native def openLineView(line: Long, version: Int, out: Array[Long]): Long

  /** Closes a segment, line or view. What a view refers to stays until the view is closed. Idempotent. */
  @native def closeTable(handle: Long): Unit

  /** Builds the exception for a native error; called by the library. */
  private[internal] def failure(code: Int, message: String, cause: Throwable): Throwable = AndironException.of(code, message, cause)
}
