package andiron.internal.cache

import org.apache.hadoop.conf.Configuration

/** The Hadoop settings of the load that the calling thread runs. */
private[andiron] object LoadingSettings {
  private val settings = new ThreadLocal[Configuration]

  /** A copy; None outside a load. */
  def current: Option[Configuration] = Option(settings.get).map(new Configuration(_))

  /** Runs `load` with them. */
  def during[A](of: Configuration)(load: => A): A = {
    settings.set(of)
    try load
    finally settings.remove()
  }
}
