package andiron.chaos

import java.nio.file.{Files, Path}
import java.util.concurrent.atomic.{AtomicBoolean, AtomicLong}

import andiron.testing.Sparks.eventually

import org.apache.spark.{HashPartitioner, Success, TaskContext}
import org.apache.spark.andironshim.Faults
import org.apache.spark.rdd.RDD
import org.apache.spark.scheduler.{SparkListener, SparkListenerTaskEnd}
import org.apache.spark.sql.{Dataset, Encoders, SparkSession}

/** A thread that kills executors and deletes shuffle files while pipelines run. */
final class ChaosFaults(spark: SparkSession, local: Path, seed: Long, kills: Int, tally: Tally) extends AutoCloseable {
  private val isOver = new AtomicBoolean
  private val choices = new Choices(Draw(seed, 77))
  private val succeeded = new AtomicLong
  spark.sparkContext.addSparkListener(new SparkListener {
    override def onTaskEnd(event: SparkListenerTaskEnd): Unit = if (event.reason == Success) succeeded.incrementAndGet(): Unit
  })
  private val thread = new Thread(() => run(), "andiron-chaos")

  def start(): Unit = thread.start()

  private def executors: Vector[ProcessHandle] = {
    var found = Vector.empty[ProcessHandle]
    ProcessHandle.current().children().forEach { child =>
      if (child.info().commandLine().orElse("").contains("CoarseGrainedExecutorBackend")) found :+= child
    }
    found.sortBy(_.pid())
  }

  private def run(): Unit = {
    var (killed, before) = (0, 0L)
    while (!isOver.get) {
      pause(1000 + choices.below(2000))
      // No faster than tasks succeed: on a slow machine the pipeline would never end.
      if (!isOver.get && succeeded.get >= before + 16) {
        before = succeeded.get
        // Never the last one, so that something runs.
        val alive = executors
        if (killed < kills && alive.size > 1 && spark.sparkContext.statusTracker.getExecutorInfos.length > 2 && choices.oneIn(2)) {
          if (alive(choices.below(alive.size)).destroyForcibly()) {
            killed += 1
            tally.add("executors_killed")
          }
        } else deleteFile()
      }
    }
  }

  private def pause(millis: Int): Unit = {
    val end = System.nanoTime() + millis * 1000000L
    while (!isOver.get && System.nanoTime() < end) Thread.sleep(20)
  }

  private def deleteFile(): Unit = {
    var found = Vector.empty[Path]
    val all = Files.walk(local)
    try all.forEach(file => if (file.getFileName.toString.matches("shuffle_.*\\.(data|index)")) found :+= file)
    catch { case _: java.io.UncheckedIOException => () } // Spark removes files while they are listed.
    finally all.close()
    if (found.nonEmpty && Files.deleteIfExists(found.sorted.apply(choices.below(found.size)))) tally.add("files_deleted")
  }

  override def close(): Unit = {
    isOver.set(true)
    thread.join()
    eventually("two executors", seconds = 120)(spark.sparkContext.statusTracker.getExecutorInfos.length >= 2)
  }
}

/** Faults that tasks make themselves; which ones follows from the salt. */
object ChaosFaults {

  /** Attempts that fail after they have read all, and first ones that are slow where copies may be started. */
  private def after(salt: Long, isSlow: Boolean): Unit = {
    val (task, partition) = (TaskContext.get(), TaskContext.getPartitionId().toLong)
    if (task.stageAttemptNumber() == 0 && task.attemptNumber() == 0) {
      // Slow tasks get speculative copies, and a killed executor has running tasks.
      Thread.sleep(if (isSlow && Draw(salt, partition, 2) % 5 == 0) 1500 else Draw(salt, partition, 4) % 400)
      if (Draw(salt, partition) % 3 == 0) sys.error("injected")
    }
  }

  def failing(rows: RDD[Long], salt: Long, isSlow: Boolean): RDD[Long] = rows.mapPartitions { all =>
    val read = all.toVector
    after(salt, isSlow)
    read.iterator
  }

  def failing(rows: Dataset[Long], salt: Long, isSlow: Boolean): Dataset[Long] = rows.mapPartitions { all: Iterator[Long] =>
    val read = all.toVector
    after(salt, isSlow)
    read.iterator
  }(Encoders.scalaLong)

  /** A shuffle of which some blocks cannot be fetched by the first attempt of its readers. */
  def shuffled(rows: RDD[Long], partitions: Int, salt: Long): RDD[Long] = {
    val pairs = rows.map(n => (n, ())).partitionBy(new HashPartitioner(partitions))
    val shuffle = Faults.shuffleOf(pairs)
    pairs.mapPartitions { all =>
      val (task, partition) = (TaskContext.get(), TaskContext.getPartitionId().toLong)
      if (task.stageAttemptNumber() == 0 && task.attemptNumber() == 0 && Draw(salt, partition, 3) % 9 == 0) Faults.failFetch(shuffle)
      all.map(_._1)
    }
  }

  /** Removes some of an RDD's blocks from the executors that have them; how many. */
  def loseBlocks(spark: SparkSession, rdd: RDD[_], salt: Long): Long = {
    val (id, partitions) = (rdd.id, rdd.getNumPartitions)
    spark.sparkContext.parallelize(0 until 8, 8).map { _ =>
      Thread.sleep(20)
      Faults.loseBlocks(id, (0 until partitions).filter(n => Draw(salt, n.toLong) % 2 == 0))
    }.sum().toLong
  }
}
