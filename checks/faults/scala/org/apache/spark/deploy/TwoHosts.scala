package org.apache.spark.deploy

import org.apache.spark.SparkConf
import org.apache.spark.deploy.master.Master
import org.apache.spark.deploy.worker.Worker

/** A standalone cluster in this process. Its two workers, and so their executors, have different host names on one machine. */
final class TwoHosts {
  private val conf = new SparkConf().set("spark.shuffle.service.enabled", "false")
  private val (masterEnv, _, _) = Master.startRpcEnvAndEndpoint("127.0.0.1", 0, 0, conf)

  val url: String = masterEnv.address.toSparkURL

  private val workers = Seq("127.0.0.1", "127.0.0.2").zipWithIndex.map { case (host, number) =>
    Worker.startRpcEnvAndEndpoint(host, 0, 0, 2, 2048, Array(url), null, Some(number + 1), conf)
  }

  /** Ends workers and master. The executors have ended with their application. */
  def stop(): Unit = {
    workers.foreach(_.shutdown())
    workers.foreach(_.awaitTermination())
    masterEnv.shutdown()
    masterEnv.awaitTermination()
  }
}
