package andiron.internal.cache

/**
 * A cursor whose versions another process of this user maps: it returns files instead of bytes. For one thread at a
 * time.
 */
private[andiron] final class SharedCursor(native: NativeCursor[_], catalog: OpenCatalog[_]) extends AutoCloseable {

  /** As [[Cursor.advance]]: releases the held version, then leases this one. */
  def advance(version: String): LeasedFile = native.acquireFile(catalog.handleOf(version), this)

  /** Releases the held version. */
  def release(): Unit = native.release()

  /** Idempotent. */
  override def close(): Unit = native.close()
}
