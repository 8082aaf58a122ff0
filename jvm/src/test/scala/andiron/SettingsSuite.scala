package andiron

import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.{Files, Path, Paths}

import org.apache.spark.SparkConf
import org.junit.runner.RunWith
import org.scalatest.funsuite.AnyFunSuite

import andiron.internal.DriverChecks
import andiron.internal.util.UnknownSettings
import andiron.testing.SuiteRunner

/** Writes docs/guide/settings.md and native/src/settings_defaults.tsv, which are the arguments. */
object SettingsDocument {
  def main(arguments: Array[String]): Unit = {
    Files.write(Paths.get(arguments(0)), AndironConf.markdown.getBytes(UTF_8))
    Files.write(Paths.get(arguments(1)), AndironConf.nativeDefaults.getBytes(UTF_8))
    ()
  }
}

@RunWith(classOf[SuiteRunner])
class SettingsSuite extends AnyFunSuite {
  private def conf(settings: (String, String)*): SparkConf = new SparkConf(false).setAll(settings)
  private val cluster = "spark.master" -> "yarn"
  private val MiB = 1L << 20

  private def project: Path =
    Iterator.iterate(Paths.get("").toAbsolutePath)(_.getParent).takeWhile(_ != null).find(d => Files.exists(d.resolve("settings.gradle"))).getOrElse(
      fail("tests run in a directory of the project"))

  test("docs/guide/settings.md is what AndironConf generates") {
    val written = new String(Files.readAllBytes(project.resolve("docs/guide/settings.md")), UTF_8)
    assert(written == AndironConf.markdown, "generate it again: gradle settingsDocument")
  }

  test("the native library's table of defaults is what AndironConf generates") {
    val written = new String(Files.readAllBytes(project.resolve("native/src/settings_defaults.tsv")), UTF_8)
    assert(written == AndironConf.nativeDefaults, "generate it again: gradle settingsDocument")
  }

  test("every key has the prefix, a kind, a default and a meaning, and is there once") {
    AndironConf.all.foreach { setting =>
      assert(setting.key.startsWith("spark.andiron.") && setting.kind.nonEmpty && setting.default.nonEmpty && setting.doc.endsWith("."), setting.key)
    }
    assert(AndironConf.all.map(_.key).distinct.size == AndironConf.all.size)
  }

  test("the default budget is the off-heap size, else the memory overhead as Spark computes it") {
    def budget(settings: (String, String)*): Long = AndironConf.BudgetBytes.in(conf(settings: _*)) / MiB
    assert(budget(cluster) == 384)
    assert(budget(cluster, "spark.executor.memory" -> "10g") == 1024)
    assert(budget(cluster, "spark.executor.memory" -> "10g", "spark.executor.memoryOverheadFactor" -> "0.4") == 4096)
    assert(budget(cluster, "spark.executor.memoryOverhead" -> "700") == 700)
    assert(budget(cluster, "spark.executor.memoryOverhead" -> "2g") == 2048)
    assert(budget(cluster, "spark.executor.minMemoryOverhead" -> "500m") == 500)
    assert(budget(cluster, "spark.memory.offHeap.enabled" -> "true", "spark.memory.offHeap.size" -> "5g") == 5120)
    assert(budget(cluster, "spark.memory.offHeap.enabled" -> "false", "spark.memory.offHeap.size" -> "5g") == 384)
  }

  test("an archive's URI has no password, and no message shows one") {
    def refused(uri: String): String = intercept[SettingException](AndironConf.LogArchive.in(conf(AndironConf.LogArchive.key -> uri))).getMessage
    assert(refused("ftp://ops:hunter2@host/logs").contains("spark.andiron.log.archive is 'ftp://...@host/logs', which has a password"))
    assert(refused("s3a://key:hunter2@a_bucket/logs").contains("which has a password"))
    for (uri <- Seq("ftp://ops:hunter2@host/lo gs", "s3a://key:hunter2@a_bucket/logs")) assert(!refused(uri).contains("hunter2"), uri)
    for (uri <- Seq("hdfs://host:8020/logs", "wasbs://container@account.example/logs", "file:///logs"))
      assert(AndironConf.LogArchive.in(conf(AndironConf.LogArchive.key -> uri)).map(_.toString).contains(uri))
  }

  test("the log's directory is local: a path or a file: URI, and other URIs are for the archive") {
    def directory(text: String): String = AndironConf.LogDirectory.in(conf(AndironConf.LogDirectory.key -> text))
    for ((text, path) <- Seq("/a/b c" -> "/a/b c", "/a%20b" -> "/a%20b", "file:/a/b" -> "/a/b", "file:///a%20b" -> "/a b", "FILE://localhost/a" -> "/a", "a/b" -> "a/b", "a:b" -> "a:b"))
      assert(directory(text) == path)
    for (text <- Seq("hdfs:///logs", "hdfs://host:8020/logs", "s3a://key:hunter2@bucket/logs", "dbfs:/logs", "file://host/logs", "file:logs", "file:///a b", "file:///a?b", "file:///a%")) {
      val e = intercept[SettingException](AndironConf.validate(conf(AndironConf.LogDirectory.key -> text)))
      assert(e.code == 116 && e.getMessage.contains(AndironConf.LogDirectory.key) && !e.getMessage.contains("hunter2"), e.getMessage)
      assert(text.startsWith("file") || e.getMessage.contains(AndironConf.LogArchive.key), e.getMessage)
    }
  }

  test("in local mode the default budget is at least 1 GiB, in local-cluster it is not") {
    assert(AndironConf.BudgetBytes.in(conf("spark.master" -> "local[4]")) == 1024 * MiB)
    assert(AndironConf.BudgetBytes.in(conf("spark.master" -> "local-cluster[2,2,1024]")) == 384 * MiB)
    assert(AndironConf.BudgetBytes.in(conf("spark.master" -> "local", AndironConf.BudgetBytes.key -> "7")) == 7)
  }

  test("the hard limit is twice the budget, and not below it") {
    assert(AndironConf.HardLimitBytes.in(conf(AndironConf.BudgetBytes.key -> "3m")) == 6 * MiB)
    val e = intercept[SettingException](AndironConf.validate(conf(AndironConf.BudgetBytes.key -> "3m", AndironConf.HardLimitBytes.key -> "2m")))
    assert(e.code == 116 && e.getMessage.contains(AndironConf.HardLimitBytes.key) && e.getMessage.contains(AndironConf.BudgetBytes.key))
  }

  test("a budget that an executor's container has no room for is told, with what to raise") {
    def told(settings: (String, String)*): Option[String] = DriverChecks.tooLarge(conf(settings: _*))
    val offHeap = Seq("spark.memory.offHeap.enabled" -> "true", "spark.memory.offHeap.size" -> "5g")
    Seq(
      Seq(cluster),
      cluster +: offHeap,
      Seq(cluster, AndironConf.BudgetBytes.key -> "384m"),
      Seq(cluster, AndironConf.BudgetBytes.key -> "5g") ++ offHeap,
      Seq(cluster, AndironConf.BudgetBytes.key -> "2g", "spark.executor.memoryOverhead" -> "2g"),
      Seq("spark.master" -> "local[4]", AndironConf.BudgetBytes.key -> "900g")).foreach(fits => assert(told(fits: _*).isEmpty, fits))
    Seq(
      (Seq(cluster, AndironConf.BudgetBytes.key -> "385m"), 385 * MiB, 384 * MiB),
      (Seq(cluster, AndironConf.BudgetBytes.key -> "6g") ++ offHeap, 6144 * MiB, 5120 * MiB),
      (Seq(cluster, AndironConf.BudgetBytes.key -> "3g", "spark.executor.memoryOverhead" -> "2g"), 3072 * MiB, 2048 * MiB),
      (Seq("spark.master" -> "local-cluster[2,2,1024]", AndironConf.BudgetBytes.key -> "1g"), 1024 * MiB, 384 * MiB),
      (Seq(cluster, AndironConf.BudgetBytes.key -> "1g", "spark.memory.offHeap.size" -> "5g"), 1024 * MiB, 384 * MiB)).foreach { case (settings, budget, room) =>
      val text = told(settings: _*).getOrElse(fail(s"nothing is told of $settings"))
      Seq(AndironConf.BudgetBytes.key, s" $budget ", s" $room ", "spark.memory.offHeap.size", "spark.executor.memoryOverhead").foreach(part => assert(text.contains(part), text))
    }
  }

  test("sizes and durations take units") {
    assert(AndironConf.BudgetBytes.in(conf(AndironConf.BudgetBytes.key -> "12g")) == 12L << 30)
    assert(AndironConf.LoadTimeout.in(conf(AndironConf.LoadTimeout.key -> "2h")) == 7200000)
    assert(AndironConf.LoadTimeout.in(conf(AndironConf.LoadTimeout.key -> "250")) == 250)
    assert(AndironConf.LoadTimeout.in(conf()) == 15 * 60 * 1000)
  }

  test("a value that cannot be read is an error that names key and value") {
    Seq(
      AndironConf.Enabled -> "perhaps",
      AndironConf.BudgetBytes -> "much",
      AndironConf.BudgetBytes -> "-1",
      AndironConf.BudgetVersions -> "-2",
      AndironConf.BudgetVersions -> "1.5",
      AndironConf.KeepWarm -> "luke",
      AndironConf.Directory -> " ",
      AndironConf.LoaderThreads -> "0",
      AndironConf.LoadTimeout -> "soon",
      AndironConf.LoadTimeout -> "0",
      AndironConf.ReportInterval -> "1ms",
      AndironConf.MetricsSamples -> "-1",
      AndironConf.MetricsSamples -> "100001",
      AndironConf.MetricsRecordBytes -> "15",
      AndironConf.MetricsRecordBytes -> "1025k",
      AndironConf.Accounting -> "maybe").foreach { case (setting, value) =>
      val e = intercept[SettingException](AndironConf.validate(conf(setting.key -> value)))
      assert(e.code == 116 && e.getMessage.contains(setting.key) && e.getMessage.contains(s"'$value'"), e.getMessage)
    }
  }

  test("a key that is no setting is refused, and what is most like it is named") {
    // In two parts, so that the next test does not find them.
    val prefix = "spark." + "andiron."
    def refused(keys: String*): String = intercept[SettingException](UnknownSettings.refuse(conf(keys.map(key => s"$prefix$key" -> "hunter2"): _*))).getMessage
    Seq(
      "cache.budgetByte" -> "cache.budgetBytes",
      "cache.budgetbytes" -> "cache.budgetBytes",
      "cache.bugdetBytes" -> "cache.budgetBytes",
      "cache.budget.bytes" -> "cache.budgetBytes",
      "cache.budgetBytes " -> "cache.budgetBytes",
      "budgetBytes" -> "cache.budgetBytes",
      "chace.budgetBytes" -> "cache.budgetBytes",
      "metrics.budgetBytes" -> "cache.budgetBytes",
      "cache.hardLimit" -> "cache.hardLimitBytes",
      "enable" -> "enabled",
      "cache.enabled" -> "enabled",
      "onAllDroped" -> "onAllDropped",
      "log.directory" -> "log.dir",
      "run.ids" -> "run.id",
      "kafak.security.protocol" -> "kafka.security.protocol",
      "kafak.bootstrap.servers" -> "kafka.bootstrap.servers").foreach { case (key, meant) =>
      val message = refused(key)
      assert(message.contains(s"$prefix$key is no setting of Andiron: did you mean ") && message.contains(s"$prefix$meant") && !message.contains("hunter2"), message)
    }
    assert(refused("cache.dri").contains(s"did you mean ${prefix}cache.dir?"))
    assert(refused("dir").contains(s"did you mean ${prefix}cache.dir or ${prefix}log.dir?"))
    assert(refused("cache.budget").contains(s"did you mean ${prefix}cache.budgetBytes or ${prefix}cache.budgetVersions?"))
    val far = refused("zookeeper.quorum")
    assert(far.contains(s"${prefix}zookeeper.quorum is no setting of Andiron. ") && far.contains("docs/guide/settings.md") && !far.contains("did you mean"), far)
    // The entries of executors, which have the driver's settings and cannot stop the application.
    AndironConf.validate(conf(s"${prefix}cache.budgetByte" -> "1m"))
    val two = refused("cache.budgetByte", "log.dirs")
    assert(two.contains(s"did you mean ${prefix}cache.budgetBytes?") && two.contains(s"did you mean ${prefix}log.dir?"), two)
  }

  test("every setting, what Andiron sets itself, and every key that documents, programs and tests name is taken") {
    UnknownSettings.refuse(conf(AndironConf.all.map(_.key -> "x"): _*))
    UnknownSettings.refuse(conf("spark.andiron.internal.guards" -> "1", "spark.andiron.internal.commitProtocolClass" -> "x", "spark.andiron.kafka.ssl.ca.location" -> "x"))
    UnknownSettings.refuse(conf("spark.andironical" -> "x", "spark.app.name" -> "x"))
    val endings = Set("md", "scala", "java", "py", "rs", "sh")
    val named = """spark\.andiron\.[A-Za-z0-9_.]*[A-Za-z0-9_]""".r
    var (files, keys) = (0, Set.empty[String])
    Seq("README.md", "CHANGELOG.md", "docs", "ci", "harness", "checks", "bench", "demo", "python", "jvm/src", "tests", "native").foreach { part =>
      val walk = Files.walk(project.resolve(part))
      try walk.filter(file => endings(file.toString.split('.').last) && Files.isRegularFile(file)).forEach { file =>
        files += 1
        named.findAllIn(new String(Files.readAllBytes(file), UTF_8)).foreach { key =>
          keys += key
          val isGroup = AndironConf.all.exists(_.key.startsWith(s"$key."))
          assert(isGroup || UnknownSettings.isKnown(key), s"$file names $key, with which no application starts")
        }
      }
      finally walk.close()
    }
    assert(files > 100 && AndironConf.all.map(_.key).filterNot(_.contains('<')).toSet.subsetOf(keys))
  }

  test("settings of Kafka that lose events, show a secret or are none stop the application") {
    val servers = AndironConf.KafkaServers.key -> "127.0.0.1:9"
    DriverChecks.checkSinks(conf())
    DriverChecks.checkSinks(conf(servers, "spark.andiron.kafka.ssl.ca.pem.env" -> "PATH", AndironConf.MetricsEnabled.key -> "false"))
    DriverChecks.checkSinks(conf(servers, "spark.andiron.kafka.compression.type" -> "zstd"))
    Seq("acks" -> "1", "sasl.password" -> "hunter2", "no.such.property" -> "1", "topic.metrics" -> "a b", "sasl.password.file" -> "/nowhere/at/all").foreach {
      case (key, value) =>
        val e = intercept[SettingException](DriverChecks.checkSinks(conf(servers, s"spark.andiron.kafka.$key" -> value)))
        assert(e.code == 116 && e.getMessage.contains(s"spark.andiron.kafka.$key") && !e.getMessage.contains("hunter2"), e.getMessage)
    }
  }

  test("a setting of Kafka may have several lines") {
    val settings = internal.metrics.MetricsFacts.sinks(conf("spark.andiron.kafka.x" -> "1\r\n2\\n", "spark.app.name" -> "x"))
    assert(settings == "spark.andiron.kafka.x=1\\n2\\\\n")
  }
}
