package andiron.internal.cache

import andiron.{AndironException, ErrorCode}

/** The errors that several classes raise. */
private[andiron] object AndironErrors {

  /** Error for `what`, which belongs to a closed catalog. */
  def closed(id: CatalogId, what: String): AndironException =
    AndironException.of(ErrorCode.CatalogClosed,
      s"$what cannot be used: the catalog is closed, or its application ${id.application} has ended; make a new catalog", null)

  def closed(id: CatalogId): AndironException = closed(id, s"dataset '${id.dataset}'")

  /** `error` with `what`, its subject, put before its message. */
  def about(what: String, error: AndironException): AndironException = AndironException.of(error.code, s"$what: ${error.getMessage}", error)

  def bad(message: String): AndironException = AndironException.of(ErrorCode.BadArgument, message, null)
}
