package andiron.demo

import org.apache.spark.SparkContext
import org.apache.spark.sql.SparkSession

/** Prints the progress of the running stages, which demo/application.py shows. */
private final class Progress(context: SparkContext) extends AutoCloseable {
  @volatile private var open = true
  private val thread = new Thread(() => run(), "demo-progress")
  thread.setDaemon(true)
  thread.start()

  private def run(): Unit = {
    var last = ""
    while (open) {
      val tracker = context.statusTracker
      val now = tracker.getActiveStageIds().sorted.flatMap(tracker.getStageInfo(_)).filter(_.numTasks > 0).map { stage =>
        s"stage ${stage.stageId}: ${stage.numCompletedTasks} of ${stage.numTasks} tasks"
      }.mkString(", ")
      if (now.nonEmpty && now != last) println(s"progress: $now")
      last = now
      Thread.sleep(250)
    }
  }

  def close(): Unit = {
    open = false
    thread.join()
  }
}

object Progress {

  /** Runs `program` in an application with this name, which prints its id and its progress. */
  def shown(name: String)(program: SparkSession => Unit): Unit = {
    val spark = SparkSession.builder().appName(name).getOrCreate()
    val progress = new Progress(spark.sparkContext)
    try {
      println(s"application: ${spark.sparkContext.applicationId}")
      program(spark)
    } finally {
      progress.close()
      spark.stop()
    }
  }
}
