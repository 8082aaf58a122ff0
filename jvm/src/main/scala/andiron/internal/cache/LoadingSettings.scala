package andiron.internal.cache

import org.apache.hadoop.conf.Configuration

/** Hadoop settings of the load that the calling thread runs. */
private[andiron] object LoadingSettings {
  private val settings = new ThreadLocal[Configuration]

  /** A copy of the settings; None outside a load. */
  def current: Option[Configuration] = Option(settings.get).map(new Configuration(_))

  /** Runs `load` with the settings `of`. */
  def during[A](of: Configuration)(load: => A): A = {
    settings.set(of)
    try load
    finally settings.remove()
  }
}
