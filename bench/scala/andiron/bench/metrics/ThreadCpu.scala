package andiron.bench.metrics

import java.lang.management.ManagementFactory
import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.{Files, Path, Paths}

/** CPU times of this process's threads in nanoseconds. */
object ThreadCpu {
  private val threads = ManagementFactory.getThreadMXBean

  /** The CPU time of the thread of a listener queue; the thread must exist. */
  def ofQueue(queue: String): Long = {
    val name = s"spark-listener-group-$queue"
    val found = threads.getAllThreadIds.filter { id =>
      val info = threads.getThreadInfo(id)
      info != null && info.getThreadName == name
    }
    if (found.length != 1) throw new IllegalStateException(s"${found.length} threads are called $name")
    threads.getThreadCpuTime(found.head)
  }

  /** The CPU time of each thread by id, including Rust's threads, with its kernel name (at most 15 characters). */
  def all(): Map[Int, (String, Long)] = {
    val tasks = Files.newDirectoryStream(Paths.get("/proc/self/task"))
    var found = Map.empty[Int, (String, Long)]
    try tasks.forEach(task => read(task).foreach(entry => found += entry))
    finally tasks.close()
    found
  }

  // A thread may end while its files are read.
  private def read(task: Path): Option[(Int, (String, Long))] =
    try Some(task.getFileName.toString.toInt -> ((text(task.resolve("comm")), text(task.resolve("schedstat")).takeWhile(_ != ' ').toLong)))
    catch { case _: java.io.IOException => None }

  private def text(file: Path): String = new String(Files.readAllBytes(file), UTF_8).trim

  /** The CPU time of the thread groups since `before`: `tasks`, `scheduler`, `listeners`, `andiron` (with Rust's threads) and the `rest`. */
  def since(before: Map[Int, (String, Long)]): Map[String, Long] = {
    val taken = all().toSeq.map { case (id, (name, nanos)) => group(name) -> (nanos - before.get(id).fold(0L)(_._2)) }
    Groups.map(name => name -> taken.collect { case (`name`, nanos) => nanos }.sum).toMap
  }

  private val Groups = Seq("tasks", "scheduler", "listeners", "andiron", "rest")

  private def group(name: String): String =
    if (name.startsWith("Executor task")) "tasks"
    else if (Seq("dag-scheduler", "task-result-get", "dispatcher-even").exists(name.startsWith)) "scheduler"
    else if (name.startsWith("spark-listener")) "listeners"
    else if (name.startsWith("andiron")) "andiron"
    else "rest"
}
