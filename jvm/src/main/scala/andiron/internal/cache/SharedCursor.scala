package andiron.internal.cache

/** A cursor whose versions another process of this user maps: it gives files in place of bytes. For one thread at a time. */
private[andiron] final class SharedCursor(native: NativeCursor[_], catalog: OpenCatalog[_]) extends AutoCloseable {

  /** As [[Cursor.advance]]: releases what is held, then leases the version. */
  def advance(version: String): LeasedFile = native.acquireFile(catalog.handleOf(version), this)

  /** Releases what is held. */
  def release(): Unit = native.release()

  /** Idempotent. */
  override def close(): Unit = native.close()
}
