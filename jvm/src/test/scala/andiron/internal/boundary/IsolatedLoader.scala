package andiron.internal.boundary

import java.io.File
import java.lang.reflect.InvocationTargetException
import java.net.{URL, URLClassLoader}
import java.nio.file.Path

/** Andiron's jar in a class loader of its own, as `--jars` or a second application would bring it; `overlay` replaces resources. */
final class IsolatedLoader(overlay: Option[Path] = None)
    extends URLClassLoader(
      (overlay.map(_.toUri.toURL).toSeq :+ new File(IsolatedLoader.jar).toURI.toURL).toArray,
      classOf[IsolatedLoader].getClassLoader) {

  override def loadClass(name: String, resolve: Boolean): Class[_] =
    if (!name.startsWith("andiron.")) super.loadClass(name, resolve)
    else getClassLoadingLock(name).synchronized(Option(findLoadedClass(name)).getOrElse(findClass(name)))

  override def getResource(name: String): URL = Option(findResource(name)).getOrElse(super.getResource(name))

  /** The result of this loader's `NativeLibrary.load()`; its exception is passed on unchanged. */
  def loadLibrary(): AnyRef = {
    val library = Class.forName("andiron.internal.boundary.NativeLibrary$", true, this)
    try library.getMethod("load").invoke(library.getField("MODULE$").get(null))
    catch { case e: InvocationTargetException => throw e.getCause }
  }

  /** The exception that `NativeLibrary.load()` of this loader must throw. */
  def failure(): RuntimeException =
    try {
      val loaded = loadLibrary()
      throw new AssertionError(s"expected a failure, but loaded $loaded")
    } catch { case e: RuntimeException if e.getClass.getName == "andiron.NativeLibraryException" => e }
}

object IsolatedLoader {
  def jar: String = System.getProperty("andiron.test.jar")
}
