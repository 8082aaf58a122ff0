package andiron.harness

import java.nio.file.{FileAlreadyExistsException, Files, Path, Paths}

/** Marks for synchronisation between driver and executors on one machine: files in a folder, with one line each. */
final class Signals(folder: String) extends Serializable {
  private def path(name: String): Path = Paths.get(folder, name)

  /** Sets the mark; returns whether this call has created it. */
  def mark(name: String, text: String = ""): Boolean =
    try {
      val unfinished = Files.createTempFile(Paths.get(folder), ".", "")
      Files.write(unfinished, text.getBytes("UTF-8"))
      try Files.createLink(path(name), unfinished)
      finally Files.delete(unfinished)
      true
    } catch { case _: FileAlreadyExistsException => false }

  def has(name: String): Boolean = Files.exists(path(name))

  /** The marks whose names begin with `prefix`, with their texts, sorted by name. */
  def all(prefix: String): Seq[(String, String)] = {
    val names = Paths.get(folder).toFile.list().toSeq.filter(_.startsWith(prefix)).sorted
    names.map(name => name -> new String(Files.readAllBytes(path(name)), "UTF-8"))
  }

  def clear(): Unit = Paths.get(folder).toFile.listFiles().foreach(file => Files.deleteIfExists(file.toPath))

  /** Waits until there are `count` marks with the prefix; throws after `seconds`. */
  def await(prefix: String, count: Int = 1, seconds: Int = 60): Seq[(String, String)] = {
    Waiting.until(s"$count marks '$prefix'", seconds)(all(prefix).size >= count)
    all(prefix)
  }
}
