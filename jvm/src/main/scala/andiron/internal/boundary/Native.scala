package andiron.internal.boundary

import java.nio.ByteBuffer

import andiron.AndironException

/**
 * The entries of the native library, bound when it is loaded: `NativeLibrary.load()` must have returned before the first call.
 *
 * Handles are ids with a generation, never pointers: a handle that was released gives a ReleasedException, closing twice is
 * harmless. Every entry may throw an [[andiron.AndironException]]. Times are in milliseconds, sizes in bytes.
 */
private[andiron] object Native {

  /** `version=0.1.0;abi=<number>;build=<id>`. */
  @native def buildInfo(): String

  /**
   * Opens this process's cache from `key=value` lines. The same text again does nothing; another replaces it once every catalog is
   * closed, else a SettingException. Leases that outlived their catalogs stay charged, to the new budget, until their attempts end.
   */
  @native def configure(settings: String): Unit

  /** A catalog's handle. `kind`: 0 bytes, 1 objects. `loaderScope` keeps the objects of different class loaders apart. */
  @native def openCatalog(application: String, dataset: String, kind: Int, loaderScope: Long): Long

  /**
   * A version's handle. `bytes` < 0: unknown. `source` stands in messages. The same version and digest again gives the same handle,
   * and its size if that was unknown; a SourceException if the two sizes differ.
   */
  @native def addVersion(catalog: Long, version: String, digest: String, bytes: Long, source: String): Long

  /** How many tasks are still expected to want `version`. */
  @native def setDemand(version: Long, tasks: Long): Unit

  /** Refuses new leases of the catalog; what is leased goes with its last lease. Idempotent. */
  @native def closeCatalog(catalog: Long): Unit

  /**
   * An attempt's handle: what owns cursors and leases. `name` appears in messages. `barrier`: other such attempts wait for this one with
   * what they hold.
   */
  @native def beginAttempt(name: String, barrier: Boolean): Long

  /** Releases everything that the attempt holds. Idempotent. Returns the number of leases that it still held. */
  @native def endAttempt(attempt: Long): Int

  /** A cursor's handle. `ordered`: it visits versions in the order of the UTF-8 bytes of their names. */
  @native def openCursor(attempt: Long, ordered: Boolean): Long

  /**
   * Releases what the cursor holds and asks for `version`. > 0: leased, the residency's id. 0: pending, go on with `await`. -1: pending, for the
   * budget, while other cursors of the attempt hold versions: to release one of them may help.
   */
  @native def advance(cursor: Long, version: Long): Long

  /** The same for several at once, all or none; the id is the first one's. What is held and asked for again stays if it can. */
  @native def advanceAll(cursor: Long, versions: Array[Long]): Long

  /** Waits at most `sliceMillis` (<= 100) for what `advance` or `advanceAll` left pending; the same results. */
  @native def await(cursor: Long, sliceMillis: Long): Long

  /** Releases what the cursor holds and withdraws what it waits for. */
  @native def release(cursor: Long): Unit

  /** Ends the cursor. Idempotent. */
  @native def closeCursor(cursor: Long): Unit

  /** A handle on leased bytes number `index`: `out` gets address, length and residency id. The mapping stays until `closeView`. */
  @native def openView(cursor: Long, index: Int, out: Array[Long]): Long

  /** Lets the view's mapping go. Idempotent. */
  @native def closeView(view: Long): Unit

  /** A direct buffer on part of the view. The view must stay open while the buffer, or one derived from it, is reachable. */
  @native def viewBuffer(view: Long, offset: Long, length: Int): ByteBuffer

  /**
   * A path by which another process of this user may open the file behind leased bytes number `index` while they are leased; `out` gets
   * length, device and inode, by which it knows that it has opened the right one.
   */
  @native def leasedFile(cursor: Long, index: Int, out: Array[Long]): String

  /** Where leased files number `index` are, as long as they are leased: a directory, or the file of a version that is one file. */
  @native def leasedPath(cursor: Long, index: Int): String

  /** Leased object number `index`. */
  @native def leasedObject(cursor: Long, index: Int): AnyRef

  /** The next load for this loader thread, waiting at most `waitMillis`; 0: none yet. The load's time-out counts from now. */
  @native def nextLoad(waitMillis: Long): Long

  /** The handle of the version that `load` is for. */
  @native def loadVersion(load: Long): Long

  /**
   * Leaves the load to another class loader's threads, which share the queue with this one's; its time-out counts from when one of
   * them takes it. An error if nobody wants it any more: then `loadFailed` ends it.
   */
  @native def giveBackLoad(load: Long): Unit

  /** true: write the bytes, then `storePublish`. false: they are published already, call `storePublish` to adopt them. */
  @native def storeBegin(load: Long, checksum: String): Boolean

  /** Appends the first `length` bytes of `buffer`. */
  @native def storeWrite(load: Long, buffer: Array[Byte], length: Int): Unit

  /**
   * Ends the file before, of a version whose digest begins with `file-` or `files-`, and begins one of `bytes` bytes, at a path with
   * slashes below the version's directory. `storeWrite` and `storeCopy` then mean this one.
   */
  @native def storeEntry(load: Long, path: String, bytes: Long): Unit

  /** Copies a local file, by reflink where the file system can. */
  @native def storeCopy(load: Long, localPath: String): Unit

  /** Verifies length and checksum and makes the version resident: the load is finished. */
  @native def storePublish(load: Long): Unit

  /** Makes the user's own file resident where it is: the load is finished. */
  @native def mapInPlace(load: Long, localPath: String, checksum: String): Unit

  /** Makes an object resident: the load is finished. `tells`: `nextEvicted` gives it once it has left memory, whatever became of the load. */
  @native def loadObject(load: Long, value: AnyRef, bytes: Long, tells: Boolean): Unit

  /** The next object that has left memory, of those that tell; null if there is none. Objects of any class loader that uses this library. */
  @native def nextEvicted(): AnyRef

  /** Gives every waiter the failure: the load is finished. A `cause` that is an AndironException keeps its code. */
  @native def loadFailed(load: Long, message: String, cause: Throwable): Unit

  /** The names of the figures of `stats`, one a line. */
  @native def statNames(): String

  /** What each of them is, one a line: `gauge`, `maximum` or `counter`. */
  @native def statKinds(): String

  /** Fills `out` and returns how many figures there are. */
  @native def stats(out: Array[Long]): Int

  /** Closes the application's catalogs and its files. Its attempts are their owner's to end: what they lease stays until then. */
  @native def closeApplication(application: String): Unit

  /** Builds the exception for an error of the library, which calls it. */
  private[internal] def failure(code: Int, message: String, cause: Throwable): Throwable =
    AndironException.of(code, message, cause)
}
