package org.apache.spark.andironshim

import scala.util.control.NonFatal

import org.apache.hadoop.fs.{FileSystem, Path}
import org.apache.hadoop.mapreduce.{JobContext, OutputCommitter, TaskAttemptContext}
import org.apache.hadoop.mapreduce.lib.output.FileOutputCommitter
import org.apache.spark.internal.io.{FileCommitProtocol, FileNameSpec}
import org.apache.spark.internal.io.FileCommitProtocol.TaskCommitMessage

/** Judges one write before it is published. Called on the driver, on the thread of the write. */
trait WriteGate {

  /** Whether rows of the write come from a step. */
  def isOfSteps: Boolean

  /**
   * Called before the job of the write. `direct` gives the reason why task output becomes public before the job's
   * commit; None if it does not. Throws if a gate could not hold back such a write.
   */
  def begin(direct: () => Option[String]): Unit

  /** Called before the commit of the job. Throws if a gate rejects the write. */
  def commit(): Unit
}

/**
 * The configured commit protocol, with the gates of the write's steps ahead of its commit. When such a write
 * overwrites, its deletions run after the gates have passed. Writes without a step use the configured protocol
 * unchanged.
 */
final class GateCommitProtocol(jobId: String, path: String, dynamicPartitionOverwrite: Boolean) extends FileCommitProtocol with Serializable {
  private val delegate = FileCommitProtocol.instantiate(GatedWrites.delegateClass, jobId, path, dynamicPartitionOverwrite)
  @transient private lazy val gate: Option[WriteGate] = GatedWrites.gate(path)
  @transient private var deferred: Vector[Deletion] = Vector.empty

  override def setupJob(job: JobContext): Unit = {
    delegate.setupJob(job)
    try gate.foreach(_.begin(() => if (dynamicPartitionOverwrite) None else GateCommitProtocol.whyDirect(delegate, job)))
    catch {
      case NonFatal(e) =>
        try delegate.abortJob(job)
        catch { case NonFatal(other) => e.addSuppressed(other) }
        throw e
    }
  }

  override def commitJob(job: JobContext, messages: Seq[TaskCommitMessage]): Unit = {
    gate.foreach(_.commit())
    deferred.foreach(_.run())
    delegate.commitJob(job, messages)
  }

  override def deleteWithJob(fs: FileSystem, path: Path, recursive: Boolean): Boolean =
    if (!gate.exists(_.isOfSteps)) delegate.deleteWithJob(fs, path, recursive)
    else {
      deferred :+= Deletion.of(fs, path, recursive, delegate)
      true
    }

  override def abortJob(job: JobContext): Unit = delegate.abortJob(job)
  override def setupTask(task: TaskAttemptContext): Unit = delegate.setupTask(task)
  override def newTaskTempFile(task: TaskAttemptContext, dir: Option[String], ext: String): String = {
    val spec = FileNameSpec("", ext)
    delegate.newTaskTempFile(task, dir, spec)
  }
  override def newTaskTempFile(task: TaskAttemptContext, dir: Option[String], spec: FileNameSpec): String = delegate.newTaskTempFile(task, dir, spec)
  override def newTaskTempFileAbsPath(task: TaskAttemptContext, dir: String, ext: String): String = {
    val spec = FileNameSpec("", ext)
    delegate.newTaskTempFileAbsPath(task, dir, spec)
  }
  override def newTaskTempFileAbsPath(task: TaskAttemptContext, dir: String, spec: FileNameSpec): String =
    delegate.newTaskTempFileAbsPath(task, dir, spec)
  override def commitTask(task: TaskAttemptContext): TaskCommitMessage = delegate.commitTask(task)
  override def abortTask(task: TaskAttemptContext): Unit = delegate.abortTask(task)
  override def onTaskCommit(message: TaskCommitMessage): Unit = delegate.onTaskCommit(message)
}

private object GateCommitProtocol {

  /**
   * The reason why task output becomes public before the job's commit; None if it does not, as far as the committer
   * shows.
   */
  def whyDirect(delegate: FileCommitProtocol, job: JobContext): Option[String] = committer(delegate).flatMap {
    case c: FileOutputCommitter if c.isCommitJobRepeatable(job) =>
      Some(s"${c.getClass.getName} with mapreduce.fileoutputcommitter.algorithm.version=2 publishes at the commit of a task")
    case c if c.getClass.getSimpleName.contains("Direct") => Some(s"${c.getClass.getName} publishes as it writes")
    case _                                                => None
  }

  private def committer(delegate: FileCommitProtocol): Option[OutputCommitter] =
    Iterator.iterate[Class[_]](delegate.getClass)(_.getSuperclass).takeWhile(_ != null)
      .flatMap(_.getDeclaredFields.find(field => classOf[OutputCommitter].isAssignableFrom(field.getType))).buffered.headOption.map { field =>
        field.setAccessible(true)
        field.get(delegate).asInstanceOf[OutputCommitter]
      }.filter(_ != null)
}

/** The files and directories that an overwrite replaces: those present when the write began. */
private final class Deletion(fs: FileSystem, paths: Seq[Path], recursive: Boolean, by: FileCommitProtocol) {

  def run(): Unit = paths.foreach { path =>
    if (!by.deleteWithJob(fs, path, recursive) && fs.exists(path))
      throw new java.io.IOException(s"$path must be overwritten but cannot be deleted")
  }
}

private object Deletion {
  private val OfCommitters = Seq("_temporary", "__magic", ".spark-staging")

  /** The entries of the directory `path`, except those of writes in progress; for a file, the file itself. */
  def of(fs: FileSystem, path: Path, recursive: Boolean, by: FileCommitProtocol): Deletion = {
    val inside = if (recursive && fs.getFileStatus(path).isDirectory) fs.listStatus(path).toSeq.map(_.getPath) else Seq(path)
    new Deletion(fs, inside.filterNot(child => OfCommitters.exists(child.getName.startsWith)), recursive, by)
  }
}
