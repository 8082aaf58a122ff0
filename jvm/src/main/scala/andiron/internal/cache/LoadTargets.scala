package andiron.internal.cache

import java.util.concurrent.ConcurrentHashMap

/**
 * Maps native version handles to catalogs. Catalogs that list the same bytes share a handle; any of them can load it.
 */
private[andiron] final class LoadTargets {
  private val byVersion = new ConcurrentHashMap[java.lang.Long, Vector[LoadTarget]]

  def add(version: Long, catalog: OpenCatalog[_], spec: VersionSpec): Unit = {
    byVersion.merge(version, Vector(LoadTarget(catalog, spec)), (known, more) => known ++ more)
    ()
  }

  def remove(version: Long, catalog: OpenCatalog[_]): Unit = {
    byVersion.computeIfPresent(version, (_, known) => {
      val left = known.filterNot(_.catalog eq catalog)
      if (left.isEmpty) null else left
    })
    ()
  }

  /**
   * The targets that can load the version, newest catalog first because its credentials are the most recent. Empty if
   * all catalogs that list it are closed.
   */
  def of(version: Long): Vector[LoadTarget] = Option(byVersion.get(version)).fold(Vector.empty[LoadTarget])(_.reverse)
}

/** A version, and a catalog whose loader, class loader and user can load it. */
private[andiron] final case class LoadTarget(catalog: OpenCatalog[_], spec: VersionSpec)
