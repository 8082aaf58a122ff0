package org.apache.spark.andironshim

import java.io.File

import scala.util.control.NonFatal

import org.apache.spark.{SparkEnv, TaskContext}

/** The parts of Spark's private API that Andiron uses. Each part is probed at its use and degrades to "unknown". */
object SparkInternals {

  /**
   * Spark's local directories of this process, which it removes when it ends; empty if this Spark does not expose them.
   */
  def localDirectories(env: SparkEnv): Seq[File] =
    try env.blockManager.diskBlockManager.localDirs.toSeq
    catch { case _: LinkageError | NonFatal(_) => Seq.empty }

  /**
   * Spark's local directories, the one with the most free space first: Spark uses them in turn, and the first may be
   * full.
   */
  def roomiestDirectories(env: SparkEnv): Seq[File] = localDirectories(env).sortBy(directory => -directory.getUsableSpace)

  /** Makes the task end as killed, which does not count as a failure. No effect if this Spark does not support it. */
  def kill(context: TaskContext, reason: String): Unit =
    try context.markInterrupted(reason)
    catch { case _: LinkageError => () }

  /** The reason why the task was killed. */
  def killReason(context: TaskContext): String =
    try context.getKillReason().getOrElse("unknown reason")
    catch { case _: LinkageError => "killed" }
}
