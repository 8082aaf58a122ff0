package andiron.internal.boundary

import java.nio.file.{Files, Path, Paths}

import scala.util.control.NonFatal

import andiron.{AndironException, NativeLibraryException}
import andiron.internal.{Platform, Requirements}

/**
 * The native library, loaded once per class loader: from `-Dandiron.native.path` or ANDIRON_NATIVE_PATH if one is set,
 * else from the jar. A failure is cached and thrown again by every later call.
 */
private[andiron] object NativeLibrary {

  /**
   * System property with the path of a library to load instead of the one in the jar. There is no fallback to the jar.
   */
  val PathProperty: String = Requirements.PATH_PROPERTY

  /** Environment variable for the same; the property takes precedence. */
  val PathVariable: String = Requirements.PATH_VARIABLE

  /** Code of a library that cannot be found, verified or loaded. */
  val Unavailable = 404

  /** Code of a library built from other sources than these classes. */
  val Mismatch = 402

  /** The library's build id, and the path or resource that it was loaded from. */
  final case class Loaded(build: String, origin: String)

  /**
   * Loads the library unless this class loader has loaded it. Any thread; `Native` must not call it from its
   * initializer.
   */
  def load(): Loaded = outcome match {
    case Right(loaded) => loaded
    case Left(failure) => throw failure
  }

  private lazy val outcome: Either[AndironException, Loaded] =
    try Right(find())
    catch {
      case e: AndironException => Left(e)
      case e @ (NonFatal(_) | _: LinkageError) =>
        Left(new NativeLibraryException(Unavailable, s"Andiron's native library cannot be loaded: $e", e))
    }

  private def find(): Loaded = {
    Requirements.require()
    val jar = NativeResources.of(getClass.getClassLoader)
    val origin = overridePath match {
      case Some(path) => loadFile(path)
      case None       => loadResource(jar)
    }
    val loaded = greet(jar, origin)
    // Initializes the exception classes while there is stack for it: a class whose initialization fails stays unusable.
    Native.failure(Unavailable, "", null)
    loaded
  }

  private def overridePath: Option[String] =
    Option(System.getProperty(PathProperty)).orElse(Option(System.getenv(PathVariable))).filter(_.nonEmpty)

  private def loadFile(path: String): String = {
    val file = Paths.get(path).toAbsolutePath
    if (!Files.isRegularFile(file))
      throw new NativeLibraryException(
        Unavailable,
        s"$PathProperty or $PathVariable names $file, which is not a file. Correct the path, or unset it to use the library in the jar.",
        null)
    link(file, s"$file")
    file.toString
  }

  private def loadResource(jar: NativeResources): String = {
    val platform = Platform.current
    val directory = UnpackDirectory.create()
    try {
      val file = jar.unpack(platform, directory.path)
      link(file, s"${jar.resource(platform)}, unpacked to $file")
    } finally directory.delete()
    jar.resource(platform)
  }

  private def link(file: Path, origin: String): Unit =
    try System.load(file.toString)
    catch {
      case e: UnsatisfiedLinkError =>
        throw new NativeLibraryException(
          Unavailable,
          s"Andiron's native library ($origin) cannot be linked: ${e.getMessage}. ${Linking.advice(String.valueOf(e.getMessage))}",
          e)
    }

  private def greet(jar: NativeResources, origin: String): Loaded = {
    val info =
      try Native.buildInfo()
      catch {
        case e: UnsatisfiedLinkError =>
          throw new NativeLibraryException(Mismatch, s"The library $origin lacks Andiron's entry points. Is it Andiron's library?", e)
      }
    val build = info.split(';').collectFirst { case field if field.startsWith("build=") => field.drop(6) }
    if (!build.contains(jar.build))
      throw new NativeLibraryException(
        Mismatch,
        s"The library $origin reports '$info', but these classes belong to build ${jar.build} of version ${jar.version}. " +
          s"Use the library and the jar of one build, or unset $PathProperty and $PathVariable.",
        null)
    Loaded(jar.build, origin)
  }
}
