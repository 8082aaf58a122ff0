package andiron.internal.metrics

import java.io.{FileDescriptor, FileOutputStream, PrintStream}

/**
 * Standard output and error in UTF-8 for any locale: Java's own streams write a question mark for characters that a
 * locale such as C lacks.
 */
private[andiron] object Terminal {
  lazy val out: PrintStream = new PrintStream(new FileOutputStream(FileDescriptor.out), true, "UTF-8")
  lazy val err: PrintStream = new PrintStream(new FileOutputStream(FileDescriptor.err), true, "UTF-8")
}
