package andiron.internal.boundary

import java.io.InputStream
import java.nio.file.{Files, Path}
import java.security.{DigestOutputStream, MessageDigest}
import java.util.Properties

import andiron.NativeLibraryException
import andiron.internal.Requirements

/** The jar's description of its native libraries (META-INF/andiron.properties), and access to them. */
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
      throw failure(Requirements.noLibrary(platform, facts))
    val file = directory.resolve(name.substring(name.lastIndexOf('/') + 1))
    val found = write(in, file)
    val declared = facts.getProperty(s"sha256.$platform", "nothing")
    if (found != declared)
      throw failure(
        s"The resource $name is damaged: its SHA-256 is $found, and META-INF/andiron.properties declares $declared. " +
          "Fetch the jar again; a jar that was merged or repackaged must keep META-INF as it is.")
    file
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
  /** The resources that `loader` finds; an exception if there are none. */
  def of(loader: ClassLoader): NativeResources = {
    val in = loader.getResourceAsStream(Requirements.FACTS)
    if (in == null)
      throw new NativeLibraryException(NativeLibrary.Unavailable, Requirements.noFacts, null)
    val facts = new Properties
    try facts.load(in)
    finally in.close()
    new NativeResources(loader, facts)
  }
}
