package andiron.internal.metrics

import org.apache.spark.SparkContext
import org.apache.spark.andironshim.SparkNames

/**
 * The micro-batch of a streaming query that the calling thread executes.
 *
 * @param query the query's id, which its checkpoint stores
 * @param run id of the query's run, which changes with a restart; empty if unknown
 */
private[andiron] final case class MicroBatch(query: String, batch: Long, run: String)

private[andiron] object MicroBatch {
  // Spark names the query's thread and describes its jobs by the run; the user's program may change the description.
  private val Run = "runId = ([0-9a-fA-F-]{36})".r

  /** None outside micro-batches. Based on local properties, which threads started by the batch's function inherit. */
  def here(context: SparkContext): Option[MicroBatch] = for {
    query <- Option(context.getLocalProperty(SparkNames.StreamingQueryId))
    batch <- Option(context.getLocalProperty(SparkNames.StreamingBatchId)).filter(digits => digits.nonEmpty && digits.length < 19 && digits.forall(_.isDigit))
  } yield {
    val tellers = Seq(Thread.currentThread.getName, context.getLocalProperty("spark.job.description"))
    MicroBatch(query, batch.toLong, tellers.filter(_ != null).flatMap(Run.findFirstMatchIn(_)).map(_.group(1)).headOption.getOrElse(""))
  }
}
