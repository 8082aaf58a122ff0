package andiron.internal.boundary

import java.nio.ByteBuffer

import andiron.AndironException

/**
 * The entries of the native library. `NativeLibrary.load()` must have returned before the first call.
 *
 * Handles are ids with a generation, never pointers: using a released handle throws a ReleasedException, and closing
 * twice is harmless. Every entry may throw an [[andiron.AndironException]]. Times are in milliseconds, sizes in bytes.
 */
private[andiron] object Native {

  /** `version=<version>;abi=<number>;build=<id>`. */
  @native def buildInfo(): String

  /**
   * Opens this process's cache from `key=value` lines. The same text again has no effect; a different text replaces the
   * cache once every catalog is closed, and throws a SettingException before that. Leases that outlive their catalogs
   * stay charged, to the new budget, until their attempts end.
   */
  @native def configure(settings: String): Unit

  /**
   * Opens a catalog and returns its handle. `kind`: 0 bytes, 1 objects. `loaderScope` separates the objects of
   * different class loaders.
   */
  @native def openCatalog(application: String, dataset: String, kind: Int, loaderScope: Long): Long

  /**
   * Adds a version and returns its handle. `bytes` < 0: unknown. `source` appears in messages. The same version and
   * digest again returns the same handle and sets the size if it was unknown; a SourceException if the two sizes
   * differ.
   */
  @native def addVersion(catalog: Long, version: String, digest: String, bytes: Long, source: String): Long

  /** Sets the number of tasks still expected to need `version`. */
  @native def setDemand(version: Long, tasks: Long): Unit

  /** Refuses new leases of the catalog; leased versions are released with their last lease. Idempotent. */
  @native def closeCatalog(catalog: Long): Unit

  /**
   * Begins an attempt, the owner of cursors and leases, and returns its handle. `name` appears in messages. `barrier`:
   * attempts of the same kind wait for this one while they hold leases.
   */
  @native def beginAttempt(name: String, barrier: Boolean): Long

  /** Releases all leases of the attempt and returns their number. Idempotent. */
  @native def endAttempt(attempt: Long): Int

  /**
   * Opens a cursor and returns its handle. `ordered`: it visits versions in the order of the UTF-8 bytes of their
   * names.
   */
  @native def openCursor(attempt: Long, ordered: Boolean): Long

  /**
   * Releases the cursor's versions and requests `version`. Returns the residency's id (> 0) if it is leased; 0 if it is
   * pending: continue with `await`; -1 if it is pending for the budget while other cursors of the attempt hold
   * versions: releasing one of them may help.
   */
  @native def advance(cursor: Long, version: Long): Long

  /**
   * As `advance`, for several versions: all or none. The id is that of the first. Versions held and requested again
   * stay resident if possible.
   */
  @native def advanceAll(cursor: Long, versions: Array[Long]): Long

  /** Waits at most `sliceMillis` (<= 100) for a pending `advance` or `advanceAll`; returns the same results. */
  @native def await(cursor: Long, sliceMillis: Long): Long

  /** Releases the cursor's versions and withdraws its pending request. */
  @native def release(cursor: Long): Unit

  /** Ends the cursor. Idempotent. */
  @native def closeCursor(cursor: Long): Unit

  /**
   * Opens a view of leased bytes number `index` and returns its handle. `out` receives address, length and residency
   * id. The mapping stays until `closeView`.
   */
  @native def openView(cursor: Long, index: Int, out: Array[Long]): Long

  /** Closes the view's mapping. Idempotent. */
  @native def closeView(view: Long): Unit

  /**
   * A direct buffer on part of the view. The view must stay open while the buffer, or one derived from it, is
   * reachable.
   */
  @native def viewBuffer(view: Long, offset: Long, length: Int): ByteBuffer

  /**
   * A path by which another process of this user can open the file of leased bytes number `index` during the lease.
   * `out` receives length, device and inode, by which the other process verifies the opened file.
   */
  @native def leasedFile(cursor: Long, index: Int, out: Array[Long]): String

  /**
   * Path of leased files number `index`, valid during the lease: a directory, or the file of a version that is a single
   * file.
   */
  @native def leasedPath(cursor: Long, index: Int): String

  /** Leased object number `index`. */
  @native def leasedObject(cursor: Long, index: Int): AnyRef

  /**
   * The next load for this loader thread, waiting at most `waitMillis`; 0 if there is none. The load's time-out begins
   * now.
   */
  @native def nextLoad(waitMillis: Long): Long

  /** The handle of the version that `load` loads. */
  @native def loadVersion(load: Long): Long

  /**
   * Returns the load to the queue for the threads of another class loader, which share the queue with this one's; its
   * time-out begins when one of them takes it. An error if the load is not needed any more: then `loadFailed` ends it.
   */
  @native def giveBackLoad(load: Long): Unit

  /**
   * true: write the bytes, then call `storePublish`. false: the bytes are already published; call `storePublish` to
   * adopt them.
   */
  @native def storeBegin(load: Long, checksum: String): Boolean

  /** Appends the first `length` bytes of `buffer`. */
  @native def storeWrite(load: Long, buffer: Array[Byte], length: Int): Unit

  /**
   * Begins a file of `bytes` bytes, and ends the previous one, of a version whose digest begins with `file-` or
   * `files-`. `path` is relative to the version's directory, with slashes. `storeWrite` and `storeCopy` then apply to
   * this file.
   */
  @native def storeEntry(load: Long, path: String, bytes: Long): Unit

  /** Copies a local file, by reflink if the file system supports it. */
  @native def storeCopy(load: Long, localPath: String): Unit

  /** Verifies length and checksum and makes the version resident; finishes the load. */
  @native def storePublish(load: Long): Unit

  /** Makes the user's own file resident in place; finishes the load. */
  @native def mapInPlace(load: Long, localPath: String, checksum: String): Unit

  /**
   * Makes an object resident; finishes the load. `tells`: `nextEvicted` returns the object after its eviction, even if
   * the load failed.
   */
  @native def loadObject(load: Long, value: AnyRef, bytes: Long, tells: Boolean): Unit

  /**
   * The next evicted object among those loaded with `tells`; null if there is none. Includes objects of all class
   * loaders that use this library.
   */
  @native def nextEvicted(): AnyRef

  /** Fails all waiters with this error; finishes the load. A `cause` that is an AndironException keeps its code. */
  @native def loadFailed(load: Long, message: String, cause: Throwable): Unit

  /** The names of the figures of `stats`, one per line. */
  @native def statNames(): String

  /** The kinds of these figures, one per line: `gauge`, `maximum` or `counter`. */
  @native def statKinds(): String

  /** Fills `out` and returns the number of figures. */
  @native def stats(out: Array[Long]): Int

  /**
   * Closes the application's catalogs and files. Ending its attempts is up to their owner: their leases stay until
   * then.
   */
  @native def closeApplication(application: String): Unit

  /** Builds the exception for a native error; called by the library. */
  private[internal] def failure(code: Int, message: String, cause: Throwable): Throwable =
    AndironException.of(code, message, cause)
}
