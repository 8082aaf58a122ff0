package andiron.services

import java.nio.file.Path

import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs.{Path => HadoopPath}
import org.apache.hadoop.hdfs.{DistributedFileSystem, MiniDFSCluster}

import andiron._
import andiron.services.Bench._

/** Checks with Hadoop's namenode and two datanodes, in this process and on the loopback interface. */
object Hdfs {

  def run(folder: Path, report: Seq[(String, Any)] => Unit): Unit = {
    val settings = new Configuration
    settings.setLong("dfs.namenode.fs-limits.min-block-size", 0)
    settings.setBoolean("dfs.namenode.replication.considerLoad", false)
    val cluster = new MiniDFSCluster.Builder(settings, folder.resolve("hdfs").toFile).numDataNodes(2).build()
    try {
      cluster.waitActive()
      val bench = new Bench(folder, s"hdfs://127.0.0.1:${cluster.getNameNodePort}/metadata", Map(
        "fs.hdfs.impl" -> classOf[Halting].getName,
        "fs.hdfs.halting" -> classOf[DistributedFileSystem].getName,
        "dfs.blocksize" -> MiB.toString,
        "dfs.replication" -> "2",
        // The client gives up within seconds; by default it retries for minutes.
        "dfs.client.retry.window.base" -> "100",
        "dfs.client.max.block.acquire.failures" -> "1",
        "dfs.client.socket-timeout" -> "5000",
        "ipc.client.connect.max.retries" -> "1",
        "ipc.client.connect.retry.interval" -> "200"))
      try Check.all(new Hdfs(bench, cluster).checks, bench, report)
      finally bench.spark.stop()
    } finally cluster.shutdown(true)
  }
}

private final class Hdfs(bench: Bench, cluster: MiniDFSCluster) {
  private val sources = new Sources(bench)
  private val whole = bytes(5, 12 * MiB)

  /** Loads `name` with `fault` halfway; see [[Bench.loading]]. */
  private def loading(name: String)(fault: => Unit)(outcome: Catalog[Bytes] => Any): Any =
    bench.loading(Version(name, bench.uri(name), checksum = Some(sha256(whole))), whole, whole.length / 2L)(fault)(outcome)

  private def requireRead(catalog: Catalog[Bytes], name: String): Unit = bench.requireRead(catalog, name, whole)

  private val replica = Check("datanode-stopped-other-replica") {
    var stopped = Seq.empty[MiniDFSCluster.DataNodeProperties]
    try loading("replica") {
      stopped = Seq(cluster.stopDataNode(0))
    } { catalog =>
      requireRead(catalog, "replica")
      Check.require(stopped.nonEmpty, "no datanode was stopped")
    } finally restart(stopped: _*)
  }

  private val restarted = Check("datanodes-restarted-during-load") {
    loading("restarted") {
      Check.require(cluster.restartDataNode(0, true) && cluster.restartDataNode(1, true), "a datanode has not started")
      cluster.waitActive()
    } { catalog =>
      val seen = try { requireRead(catalog, "restarted"); "read" } catch { case e: LoadException => e.getMessage }
      requireRead(catalog, "restarted")
      Seq("first" -> seen)
    }
  }

  private val gone = Check("datanodes-stopped-during-load") {
    var stopped = Seq.empty[MiniDFSCluster.DataNodeProperties]
    def start(): Unit = if (stopped.nonEmpty) {
      restart(stopped: _*)
      stopped = Nil
    }
    try loading("gone") {
      stopped = (0 until 2).map(_ => cluster.stopDataNode(0))
    } { catalog =>
      val e = bench.failure[LoadException]("gone", 107)(bench.read(catalog, "gone"))
      Check.require(e.getCause != null, "no cause")
      start()
      requireRead(catalog, "gone")
      Seq("message" -> e.getMessage)
    } finally start()
  }

  private val namenode = Check("namenode-stopped-during-load") {
    var isStopped = false
    def start(): Unit = if (isStopped) {
      isStopped = false
      cluster.restartNameNode(true)
    }
    try loading("namenode") {
      cluster.shutdownNameNode(0)
      isStopped = true
    } { catalog =>
      val e = bench.failure[AndironException]("namenode", 103, 107)(bench.read(catalog, "namenode"))
      val late = bench.failure[SourceException]("late", 103)(bench.withCatalog(Loader.bytes, Version("late", bench.uri("late")))(_ => ()))
      start()
      requireRead(catalog, "namenode")
      Seq("message" -> e.getMessage, "catalog" -> late.getMessage)
    } finally start()
  }

  /** Restarts `nodes`, which must be all stopped datanodes: the cluster counts as active once it knows as many datanodes as run. */
  private def restart(nodes: MiniDFSCluster.DataNodeProperties*): Unit = {
    nodes.foreach(node => Check.require(cluster.restartDataNode(node, true), "a datanode has not started"))
    cluster.waitActive()
  }

  /** Truncates the file in place; a rewrite in HDFS would create a new file. */
  private val truncated = sources.during("truncated-during-load", 105, 104) { name =>
    bench.files.truncate(new HadoopPath(bench.uri(name)), 5L * MiB): Unit
  }

  val checks: Seq[Check] = sources.checks ++ Seq(truncated, replica, restarted, gone, namenode)
}
