package andiron.internal

import java.io.InputStream
import java.nio.file.{Files, Path}
import java.security.{DigestOutputStream, MessageDigest}
import java.util.{Locale, Properties}

import andiron.NativeLibraryException

/** `<os>-<arch>` as the jar names its libraries. */
private[internal] object Platform {

  def current: String = name(System.getProperty("os.name"), System.getProperty("os.arch"))

  /** From the values of `os.name` and `os.arch`; what is unknown stays visible in the name. */
  def name(os: String, arch: String): String = {
    val lower = os.toLowerCase(Locale.ROOT)
    val system = if (lower.contains("linux")) "linux" else if (lower.contains("mac")) "macos" else lower.takeWhile(_ != ' ')
    val machine = arch.toLowerCase(Locale.ROOT) match {
      case "amd64" | "x86_64"  => "x86_64"
      case "arm64" | "aarch64" => "aarch64"
      case other               => other
    }
    s"$system-$machine"
  }
}

/** What the jar says about its native libraries (META-INF/andiron.properties), and the libraries. */
private[internal] final class NativeResources private (loader: ClassLoader, facts: Properties) {

  def version: String = facts.getProperty("version", "unknown")

  def build: String = facts.getProperty("build", "unknown")

  /** The resource with the library for `platform`. */
  def resource(platform: String): String =
    s"META-INF/native/$platform/${facts.getProperty(s"library.$platform", "libandiron")}"

  /** Writes the library for `platform` into `directory` and returns its path, if its SHA-256 is the declared one. */
  def unpack(platform: String, directory: Path): Path = {
    val name = resource(platform)
    val in = if (facts.containsKey(s"library.$platform")) loader.getResourceAsStream(name) else null
    if (in == null)
      throw failure(
        s"The jar has no library for this platform, $platform: looked for the resource $name. It has ${platforms.mkString(", ")}. " +
          s"Build one with `gradle jar` on such a machine, or name it by -D${NativeLibrary.PathProperty}=<file>.")
    val file = directory.resolve(name.substring(name.lastIndexOf('/') + 1))
    val found = write(in, file)
    val declared = facts.getProperty(s"sha256.$platform", "nothing")
    if (found != declared)
      throw failure(
        s"The resource $name is damaged: its SHA-256 is $found, and META-INF/andiron.properties declares $declared. " +
          "Fetch the jar again; a jar that was merged or repackaged must keep META-INF as it is.")
    file
  }

  private def platforms: Seq[String] = {
    val names = facts.stringPropertyNames.toArray(Array.empty[String]).filter(_.startsWith("library.")).map(_.drop(8)).sorted
    if (names.isEmpty) Seq("none") else names.toSeq
  }

  private def write(in: InputStream, file: Path): String = {
    val digest = MessageDigest.getInstance("SHA-256")
    val out = new DigestOutputStream(Files.newOutputStream(file, java.nio.file.StandardOpenOption.CREATE_NEW, java.nio.file.StandardOpenOption.WRITE), digest)
    try in.transferTo(out)
    finally
      try out.close()
      finally in.close()
    digest.digest().map(b => f"$b%02x").mkString
  }

  private def failure(message: String) = new NativeLibraryException(NativeLibrary.Unavailable, message, null)
}

private[internal] object NativeResources {
  private val Facts = "META-INF/andiron.properties"

  /** Those that `loader` sees; an exception if there are none. */
  def of(loader: ClassLoader): NativeResources = {
    val in = loader.getResourceAsStream(Facts)
    if (in == null)
      throw new NativeLibraryException(
        NativeLibrary.Unavailable,
        s"The resource $Facts is missing beside Andiron's classes. Use the jar as it was built; a repackaged one must keep META-INF.",
        null)
    val facts = new Properties
    try facts.load(in)
    finally in.close()
    new NativeResources(loader, facts)
  }
}
