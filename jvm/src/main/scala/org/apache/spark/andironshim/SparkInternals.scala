package org.apache.spark.andironshim

import java.io.File

import scala.util.control.NonFatal

import org.apache.spark.{SparkEnv, TaskContext}

/** What Andiron needs of Spark's private API. Each part is probed where it is used, and degrades to a value that says "unknown". */
object SparkInternals {

  /** Spark's own directories of this process, which it removes when it ends; none if this Spark does not tell. */
  def localDirectories(env: SparkEnv): Seq[File] =
    try env.blockManager.diskBlockManager.localDirs.toSeq
    catch { case _: LinkageError | NonFatal(_) => Seq.empty }

  /** Those of Spark's own directories, the one with the most room first: Spark takes them in turn, and the first may be full. */
  def roomiestDirectories(env: SparkEnv): Seq[File] = localDirectories(env).sortBy(directory => -directory.getUsableSpace)

  /** Lets the task end as one that was killed, which does not count as a failure. Without effect if this Spark does not offer it. */
  def kill(context: TaskContext, reason: String): Unit =
    try context.markInterrupted(reason)
    catch { case _: LinkageError => () }

  /** Why the task was killed. */
  def killReason(context: TaskContext): String =
    try context.getKillReason().getOrElse("unknown reason")
    catch { case _: LinkageError => "killed" }
}
