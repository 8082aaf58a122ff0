package andiron.internal.boundary

/** Advice for the user on messages of the dynamic linker. */
private[internal] object Linking {
  private val Glibc = "(GLIBC_[0-9.]+)".r

  /** One or two sentences for the text of an UnsatisfiedLinkError. */
  def advice(message: String): String =
    if (message.contains("GLIBC_") && message.contains("not found"))
      s"This machine's glibc is older than ${Glibc.findFirstIn(message).getOrElse("the one it was built with")}: use a newer base image " +
        s"(Debian 12, Ubuntu 22.04, RHEL 9 or later), or build the library on the old one and name it by $property."
    else if (message.contains("failed to map segment") || message.contains("Operation not permitted"))
      "The directory is probably mounted noexec: choose another with -Djava.io.tmpdir=<directory> for driver and executors, " +
        s"or name an unpacked library by $property."
    else if (message.contains("already loaded in another classloader"))
      s"A file can be loaded by one class loader only: unset ${NativeLibrary.PathProperty} and ${NativeLibrary.PathVariable}, so that each " +
        "unpacks a copy of its own, or put Andiron's jar on the class path once."
    else if (message.contains("musl") || message.contains("Error loading shared library"))
      s"The library is built for glibc, which this system does not have: use an image with glibc, or name a library built here by $property."
    else if (message.contains("ELF") || message.contains("file too short"))
      "The file is not a library for this platform: name one for this platform."
    else s"If the library was built elsewhere, build it on this machine and name it by $property."

  private val property = s"-D${NativeLibrary.PathProperty}=<file>"
}
