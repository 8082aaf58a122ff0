package andiron.internal.metrics

import java.io.{FileDescriptor, FileOutputStream, PrintStream}

/** The streams of a program, in UTF-8 whatever the locale is: Java's own write a question mark for what a locale like C has no sign for. */
private[andiron] object Terminal {
  lazy val out: PrintStream = new PrintStream(new FileOutputStream(FileDescriptor.out), true, "UTF-8")
  lazy val err: PrintStream = new PrintStream(new FileOutputStream(FileDescriptor.err), true, "UTF-8")
}
