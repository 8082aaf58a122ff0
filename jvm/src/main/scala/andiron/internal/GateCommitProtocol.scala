package andiron.internal

import org.apache.hadoop.fs.{FileSystem, Path}
import org.apache.hadoop.mapreduce.{JobContext, OutputCommitter, TaskAttemptContext}
import org.apache.hadoop.mapreduce.lib.output.FileOutputCommitter
import org.apache.spark.andironshim.{GatedWrites, WriteScope}
import org.apache.spark.internal.io.{FileCommitProtocol, FileNameSpec}
import org.apache.spark.internal.io.FileCommitProtocol.TaskCommitMessage

import andiron.{AndironConf, ErrorCode, Gate, GateException}

/**
 * The commit protocol that the user has configured, with the gates of the write's steps before its commit, and without a gate what is said of a
 * step that has dropped all of its rows: what an overwrite deletes is deleted when they have passed. Writes without a step go to the user's protocol as they are.
 */
private[andiron] final class GateCommitProtocol(jobId: String, path: String, dynamicPartitionOverwrite: Boolean)
    extends FileCommitProtocol with Serializable {
  private val delegate = FileCommitProtocol.instantiate(GatedWrites.delegateClass, jobId, path, dynamicPartitionOverwrite)
  @transient private lazy val application = MetricsApplication.running
  @transient private var before: Option[WriteScope] = None
  @transient private lazy val gates: Seq[Gate] = application.toSeq.flatMap { a =>
    if (a.gates.isEmpty) Nil
    else
      scope match {
        // Which steps are below a checkpoint is known from events.
        case Some(of) if of.readsCheckpoint => a.gates.on(if (haveArrived(a)) scope else None)
        case known                          => a.gates.on(known)
      }
  }
  @transient private lazy val isOfSteps: Boolean = gates.nonEmpty || application.exists(_.hasSteps) && scope.exists(_.steps.nonEmpty)
  @transient private var deferred: Vector[Deletion] = Vector.empty

  private def scope: Option[WriteScope] = application.flatMap(a => GatedWrites.scope(a.context, a.lineage))

  /** Whether all events have arrived that Spark has posted so far. */
  private def haveArrived(a: MetricsApplication): Boolean = a.barrier(AndironConf.MetricsStopTimeout.in(a.context.getConf)) && a.hasAll

  override def setupJob(job: JobContext): Unit = {
    delegate.setupJob(job)
    // Before the job: it may cut off lineages, as localCheckpoint does.
    if (isOfSteps) before = scope
    if (gates.nonEmpty) GateCommitProtocol.whyDirect(delegate, job).filterNot(_ => dynamicPartitionOverwrite).foreach { why =>
      delegate.abortJob(job)
      throw new GateException(ErrorCode.DirectCommitter, s"the write to $path has ${gates.mkString(" and ")}, but $why, so that no gate could " +
        "keep back what it should: use a committer that publishes at the commit of the job, or Andiron.guard instead of the gate",
        gates.head.step.name, null)
    }
  }

  override def commitJob(job: JobContext, messages: Seq[TaskCommitMessage]): Unit = {
    if (isOfSteps) application.foreach { a =>
      def seen = scope.map(now => before.fold(now)(now.and))
      val whole = seen match {
        case Some(of) if gates.nonEmpty && of.needsEvents => if (haveArrived(a)) seen else seen.map(_.withoutEvents)
        case known                                        => known
      }
      a.gates.require(gates, whole, path)
      a.told.judged(gates.map(_.step.handle.id).toSet)
      whole.foreach(a.allDropped.atCommit(_, ToldActions.isStreaming(a.context.getLocalProperty(_))))
    }
    deferred.foreach(_.run())
    delegate.commitJob(job, messages)
  }

  override def deleteWithJob(fs: FileSystem, path: Path, recursive: Boolean): Boolean =
    if (!isOfSteps) delegate.deleteWithJob(fs, path, recursive)
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

  /** Why what a task commits is public before the job's commit; None if it is not, as far as can be seen. */
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

/** What an overwrite replaces: the files and directories that were there when the write began. */
private final class Deletion(fs: FileSystem, paths: Seq[Path], recursive: Boolean, by: FileCommitProtocol) {

  def run(): Unit = paths.foreach { path =>
    if (!by.deleteWithJob(fs, path, recursive) && fs.exists(path))
      throw new java.io.IOException(s"$path is to be overwritten and cannot be deleted")
  }
}

private object Deletion {
  private val OfCommitters = Seq("_temporary", "__magic", ".spark-staging")

  /** Of the directory `path`, all but what belongs to the writes in progress; of a file, the file. */
  def of(fs: FileSystem, path: Path, recursive: Boolean, by: FileCommitProtocol): Deletion = {
    val inside = if (recursive && fs.getFileStatus(path).isDirectory) fs.listStatus(path).toSeq.map(_.getPath) else Seq(path)
    new Deletion(fs, inside.filterNot(child => OfCommitters.exists(child.getName.startsWith)), recursive, by)
  }
}
