package andiron

import java.net.URI

import org.apache.spark.SparkConf

import andiron.internal.metrics.MetricsFacts

/**
 * All `spark.andiron.*` settings: key, type, unit, default and meaning. They are read from the SparkConf once per
 * application and process; docs/guide/settings.md is generated from this object.
 */
object AndironConf {

  /** One setting. `default` is a description if it depends on other settings. */
  final class Setting[T] private[AndironConf] (
      val key: String,
      val kind: String,
      val default: String,
      val doc: String,
      parse: SparkConf => T,
      check: T => Option[String]) {

    /** The value in `conf`; a SettingException that names the key if it is invalid. */
    def in(conf: SparkConf): T = {
      // A URI may contain a user and a password.
      def shown(text: String): String = text.replaceAll("//[^/@]*@", "//...@")
      def is: String = s"$key is '${shown(conf.get(key, default))}'"
      val value =
        try parse(conf)
        catch {
          case e @ (_: IllegalArgumentException | _: java.net.URISyntaxException) => // SparkConf wraps NumberFormatException into it
            throw new SettingException(ErrorCode.BadSetting, s"$is, which is not a $kind: ${shown(e.getMessage)}", e)
        }
      check(value).foreach { problem =>
        throw new SettingException(ErrorCode.BadSetting, s"$is, $problem", null)
      }
      value
    }
  }

  private val GiB = 1L << 30
  private val MiB = 1L << 20
  private var registered = Vector.empty[Setting[_]]
  private var ofNative = Vector.empty[Setting[_]]

  /** A setting that the native library reads, under the same key. */
  private def native[T](setting: Setting[T]): Setting[T] = {
    ofNative :+= setting
    setting
  }

  private def setting[T](key: String, kind: String, default: String, doc: String)(parse: SparkConf => T)(
      check: T => Option[String] = (_: T) => None): Setting[T] = {
    val made = new Setting[T](key, kind, default, doc.stripMargin.replace('\n', ' '), parse, check)
    registered :+= made
    made
  }

  private var prefixes = Vector.empty[String]

  /** A sink whose settings are all keys with this prefix, which the native library checks. */
  private def sink(prefix: String): String = {
    prefixes :+= prefix
    prefix
  }

  private def flag(key: String, default: Boolean, doc: String): Setting[Boolean] =
    setting(key, "boolean", default.toString, doc)(_.getBoolean(key, default))()

  private def bytes(key: String, default: String, doc: String, least: Long = 0, most: Long = Long.MaxValue)(missing: SparkConf => Long): Setting[Long] =
    setting(key, "size", default, doc)(c => if (c.contains(key)) c.getSizeAsBytes(key) else missing(c))(between(least, most))

  /** A size whose default is one. */
  private def size(key: String, default: String, doc: String, least: Long, most: Long = Long.MaxValue): Setting[Long] =
    setting(key, "size", default, doc)(_.getSizeAsBytes(key, default))(between(least, most))

  private def millis(key: String, default: String, doc: String, least: Long = 1): Setting[Long] =
    setting(key, "duration", default, doc)(_.getTimeAsMs(key, default))(between(least, Long.MaxValue))

  private def count(key: String, default: Int, least: Int, doc: String, most: Int = Int.MaxValue): Setting[Int] =
    setting(key, "number", default.toString, doc)(_.getInt(key, default))(n => between(least, most)(n.toLong))

  private def between(least: Long, most: Long)(value: Long): Option[String] =
    if (value < least) Some(s"which is less than the least value, $least")
    else if (value > most) Some(s"which is more than the greatest value, $most")
    else None

  val Enabled: Setting[Boolean] = flag("spark.andiron.enabled", default = true,
    """false turns all of Andiron off: the plugin does nothing, and making or using a catalog throws a
      |SettingException.""")

  val BudgetBytes: Setting[Long] = native(bytes("spark.andiron.cache.budgetBytes",
    "`spark.memory.offHeap.size` if `spark.memory.offHeap.enabled`, else the executor's memory overhead; in local mode at least 1g",
    """The bytes of versions that an executor admits at once. A version larger than this is refused; tasks wait
      |while leased versions fill it. Tasks that hold one version while they wait for another may exceed it, up
      |to `spark.andiron.cache.hardLimitBytes`.""", least = 1)(BudgetDefault.bytes))

  val BudgetVersions: Setting[Int] = native(count("spark.andiron.cache.budgetVersions", 0, 0,
    """The number of versions that an executor admits at once; 0 means any number that fits
      |`spark.andiron.cache.budgetBytes`."""))

  val HardLimitBytes: Setting[Long] = native(bytes("spark.andiron.cache.hardLimitBytes", "2 x `spark.andiron.cache.budgetBytes`",
    """The most bytes ever admitted, also for tasks that hold one version while they wait for another. At this
      |limit the first three attempts of such a task are killed, which does not count as a failure; a later one
      |fails.""")(conf => 2 * BudgetBytes.in(conf)))

  val KeepWarm: Setting[Boolean] = native(flag("spark.andiron.cache.keepWarm", default = true,
    """true keeps an unleased version until its bytes are needed. false frees it with its last lease."""))

  val Directory: Setting[Option[String]] = setting("spark.andiron.cache.dir", "path", "Spark's own local directory of the executor, of several the one with the most room",
    """Local directory for the bytes of versions. It must belong to the executor's user, with mode 0700, or be
      |absent. Executors of one host with the same directory share the files and their pages.""")(
    _.getOption("spark.andiron.cache.dir"))(
    dir => if (dir.exists(_.trim.isEmpty)) Some("which is empty: name a directory or leave the setting out") else None)

  val DiskBytes: Setting[Long] = native(bytes("spark.andiron.cache.diskBytes", "unlimited",
    """The most that the files of versions may take on this process's disk, including those being written. A
      |file takes its disk as long as its bytes can be reached: before a load is refused for this limit, the
      |process runs one full garbage collection (`System.gc()`) and waits at most half a second for the disk
      |that it frees.""")(_ => Long.MaxValue))

  val LoaderThreads: Setting[Int] = count("spark.andiron.cache.loaderThreads", 4, 1,
    """The number of concurrent loads in an executor. A thread that is busy for 10 s is replaced, up to 64
      |threads in all, so that a source that hangs does not hold up the others.""")

  val LoadTimeout: Setting[Long] = native(millis("spark.andiron.cache.loadTimeout", "15min",
    """The longest time of a load, from when a loader thread begins it. Then the waiting tasks get a
      |LoadException; the bytes stay reserved until the loader returns, and its result is dropped."""))

  val WaitTimeout: Setting[Long] = native(millis("spark.andiron.cache.waitTimeout", "30min",
    """The longest time that a task waits for a version: for room in the budget, for the start of the load and
      |for its end. Then the task gets a BudgetException."""))

  val OverdraftAfter: Setting[Long] = native(millis("spark.andiron.cache.overdraftAfter", "1s",
    """How long a task that holds one version, or for which others wait at a barrier with theirs, waits for
      |another before it is admitted over the budget, by one version per task."""))

  val DeadlockAfter: Setting[Long] = native(millis("spark.andiron.cache.deadlockAfter", "10s",
    """How long such a task waits at the hard limit before it is killed, to be tried again; a task of a barrier
      |stage fails."""))

  val FailureMemory: Setting[Long] = native(millis("spark.andiron.cache.failureMemory", "5s",
    """How long a failed load answers further requests for the version with the same error; then the next
      |request loads again.""", 0))

  val QueueAge: Setting[Long] = native(millis("spark.andiron.cache.queueAge", "1s",
    """How long tasks that want a smaller version may overtake tasks that wait for a larger one.""", 0))

  val Accounting: Setting[String] = word("spark.andiron.cache.accounting", "auto", "off",
    """`auto` charges resident bytes to Spark's off-heap storage memory if `spark.memory.offHeap.enabled`, and
      |objects to its storage memory on the heap; a refusal is counted and changes nothing else. `off` charges
      |nothing.""")

  val ReportInterval: Setting[Long] = millis("spark.andiron.cache.reportInterval", "1s",
    """How often executors report their statistics to the driver and learn of closed catalogs (needs the
      |plugin), and how often the charge to Spark's memory is updated.""", 100)

  val PythonEnabled: Setting[Boolean] = flag("spark.andiron.python.enabled", default = true,
    """true lets Python workers lease, by a socket of each executor on the loopback address; a secret in Spark's
      |own directory protects it. false: cursors of the Python package raise an error that says so.""")

  val MetricsEnabled: Setting[Boolean] = flag("spark.andiron.metrics.enabled", default = true,
    """false turns the metrics off: steps compute the same rows, and nothing is counted, judged or logged.""")

  val LogDirectory: Setting[String] = native(setting("spark.andiron.log.dir", "path", "`andiron-log-<user>` in the JVM's temporary directory",
    """Local directory of the driver for the log of metrics, which `andiron report` reads: a path or a `file:`
      |URI. It is made with mode 0700 if it is absent. For HDFS or an object store use
      |`spark.andiron.log.archive`.""")(
    conf => MetricsFacts.localDirectory(conf.get("spark.andiron.log.dir", MetricsFacts.defaultLogDirectory)))(
    dir => if (dir.trim.isEmpty) Some("which is empty: name a directory or leave the setting out") else None))

  val LogArchive: Setting[Option[URI]] = setting("spark.andiron.log.archive", "URI", "none",
    """Hadoop directory to which the log is copied every 10 s, for drivers whose disk goes with them: the log of
      |the last 10 s, and of the time of the last copy, is lost then. `andiron.Report` reads it with `--log-dir
      |<URI>`.""")(
    _.getOption("spark.andiron.log.archive").map(new URI(_)))(
    uri =>
      if (uri.exists(_.getScheme == null)) Some("which has no scheme: name it like hdfs://host/path")
      else if (uri.flatMap(value => Option(value.getRawAuthority)).exists(_.split("@", -1).init.exists(_.contains(':'))))
        Some("which has a password, and settings are shown: give it to Hadoop's file system by its own settings")
      else None)

  val LogSegmentBytes: Setting[Long] = native(size("spark.andiron.log.segmentBytes", "16m",
    """The size at which a file of the log ends and the next one begins.""", 64 << 10))

  val LogRetentionDays: Setting[Int] = native(count("spark.andiron.log.retentionDays", 30, 1,
    """How many days the logs of ended applications stay in `spark.andiron.log.dir`."""))

  val LogMaxBytes: Setting[Long] = native(size("spark.andiron.log.maxBytes", "4g",
    """The most that `spark.andiron.log.dir` may take. Beyond it the logs of ended applications are removed, the
      |oldest first, then parts of the running one's. Events that a sink had not received are counted as `gone`.""", 1 << 20))

  val RunId: Setting[Option[String]] = native(setting("spark.andiron.run.id", "word", "none",
    """The name of the run that the application belongs to. An application with the run id of one that never
      |ended is shown as its successor.""")(
    _.getOption("spark.andiron.run.id"))())

  val MetricsSamples: Setting[Int] = native(count("spark.andiron.metrics.samples", 500, 0,
    """How many failed rows of a step are kept, at most 100000: all if there are no more, else those with the
      |smallest hashes of their keys.""", 100000))

  val MetricsRecordBytes: Setting[Long] = native(size("spark.andiron.metrics.recordBytes", "2k",
    """How many characters of a failed row are kept, at most 1m.""", 16, 1 << 20))

  val MetricsQueueCapacity: Setting[Int] = count("spark.andiron.metrics.queueCapacity", 100000, 1,
    """How many events Spark keeps for Andiron's listener before it drops further ones. Dropped events make the
      |figures of named accumulators inexact, never those of steps.""")

  val MetricsStopTimeout: Setting[Long] = millis("spark.andiron.metrics.stopTimeout", "5s",
    """How long the end of an application waits for its metrics to become durable. Events left then are lost, or
      |shipped later, and the log says so.""")

  private def word(key: String, default: String, other: String, doc: String): Setting[String] =
    setting(key, "word", default, doc)(_.get(key, default))(value => if (Set(default, other)(value)) None else Some(s"which is neither $default nor $other"))

  val OnAllDropped: Setting[String] = word("spark.andiron.onAllDropped", "fail", "warn",
    """The effect if errors have dropped every row that a step without a gate has read: `fail` fails the job or
      |the write, `warn` warns once a minute per step. Partial reads (`show`, `take`) and streams only warn.""")

  val GateUnguarded: Setting[String] = word("spark.andiron.gate.unguarded", "warn", "fail",
    """The effect of a save of an RDD, a JDBC or DSv2 write or a `foreachPartition` of a gated step outside
      |`Andiron.guard`, which no gate judges: `warn` warns, `fail` refuses SQL when it is planned, and cancels
      |jobs of RDDs when they begin.""")

  val GateWhenOff: Setting[String] = word("spark.andiron.gate.whenOff", "fail", "warn",
    """The effect of making a gate while metrics are off, so that it could not judge: `fail` throws a
      |GateException, `warn` only warns.""")

  /** The settings of the sink that ships to Kafka: every key with this prefix. */
  private[andiron] val KafkaPrefix = sink("spark.andiron.kafka.")

  private def topic(key: String, default: String, doc: String): Setting[String] = setting(key, "word", default, doc)(_.get(key, default))()

  val KafkaServers: Setting[Option[String]] = setting("spark.andiron.kafka.bootstrap.servers", "list", "none: nothing is shipped to Kafka",
    """Brokers, as `host:port` with commas between, to which every event of the log is shipped.""")(_.getOption("spark.andiron.kafka.bootstrap.servers"))()

  val KafkaMetrics: Setting[String] = topic("spark.andiron.kafka.topic.metrics", "andiron.metrics.v1",
    """Topic of all events but failed rows and log lines.""")

  val KafkaFailures: Setting[String] = topic("spark.andiron.kafka.topic.failures", "andiron.failures.v1",
    """Topic of failed rows and of log lines.""")

  val KafkaProperty: Setting[Seq[String]] = setting("spark.andiron.kafka.<property>", "any", "librdkafka's",
    """Any other property of the client, librdkafka, such as `spark.andiron.kafka.security.protocol=SASL_SSL`. A
      |property that holds a secret is refused: `spark.andiron.kafka.<property>.file` names a file with it,
      |`spark.andiron.kafka.<property>.env` an environment variable. Properties that could lose events (`acks`,
      |`enable.idempotence`, `message.timeout.ms` and the like) cannot be set.""")(
    MetricsFacts.ofSinks(_).map(_._1))()

  val AtlasUri: Setting[Option[String]] = native(setting("spark.andiron.atlas.uri", "URI", "none",
    """An Atlas, such as `http://atlas.example:7101`, to which driver and executors publish their figures
      |(docs/operations/sinks.md).""")(
    _.getOption("spark.andiron.atlas.uri"))())

  val AtlasSpectatord: Setting[Option[String]] = native(setting("spark.andiron.atlas.spectatord", "URI", "none",
    """In place of `spark.andiron.atlas.uri`, the agent of each host: `udp://127.0.0.1:1234` or
      |`unix:/run/spectatord/spectatord.unix`.""")(
    _.getOption("spark.andiron.atlas.spectatord"))())

  val AtlasStep: Setting[Long] = native(millis("spark.andiron.atlas.step", "1min",
    """How often figures are published, at the beginnings of such steps. It must be the step of the Atlas that
      |receives them, which refuses points older than its own step.""", 100))

  val AtlasTags: Setting[Option[String]] = native(setting("spark.andiron.atlas.tags", "text", "none",
    """Tags that every series has beside `job`, `role` and `executor`, such as `team=features,region=eu`; at
      |most 10. A tag with one of these three keys replaces it, such as `job=nightly` if the application's name
      |contains a date.""")(
    _.getOption("spark.andiron.atlas.tags"))())

  val AtlasMaxSeries: Setting[Int] = native(count("spark.andiron.atlas.maxSeries", 200, 1,
    """The most series that a process publishes to Atlas. Further series are left out, the same ones in each
      |step, and counted.""", 100000))

  /** All settings, in the order of the document. */
  val all: Seq[Setting[_]] = registered

  /** The prefixes of the settings of sinks. */
  private[andiron] val sinkPrefixes: Seq[String] = prefixes

  /** The settings of these groups that the native library reads: `key=value` lines with units and defaults resolved, without options that are not set. */
  private[andiron] def nativeLines(conf: SparkConf, groups: String*): String =
    ofNative.filter(setting => groups.exists(group => setting.key.startsWith(s"spark.andiron.$group."))).flatMap { setting =>
      val value = setting.in(conf) match {
        case option: Option[_] => option
        case value             => Some(value)
      }
      // A line break would begin another setting.
      value.map(value => s"${setting.key}=${value.toString.replaceAll("[\\r\\n]+", " ")}")
    }.mkString("\n")

  /** The text of native/src/settings_defaults.tsv: the defaults that the command `andiron` needs, which runs without this table. */
  private[andiron] def nativeDefaults: String =
    Seq(KafkaMetrics, KafkaFailures).map(setting => s"${setting.key}\t${setting.default}\n").mkString

  /** The text of docs/guide/settings.md. */
  def markdown: String = {
    val rows = all.map(s => s"| `${s.key}` | ${s.kind} | ${s.default} | ${s.doc} |")
    s"""# Settings
       |
       |Generated from `AndironConf`; do not edit by hand (CONTRIBUTING.md says how to generate it).
       |
       |Set them as any Spark setting before the application starts (`spark-submit --conf`, spark-defaults.conf); they are
       |read once. A value that cannot be read, or an unknown key `spark.andiron.…`, stops the application with a
       |SettingException that names the key. A size is a number of bytes, or has a unit as in `512m` or `10g`; a duration
       |is a number of milliseconds, or has a unit as in `500ms`, `30s` or `15min`.
       |
       || key | kind | default | meaning |
       ||---|---|---|---|
       |""".stripMargin + rows.mkString("", "\n", "\n")
  }

  /** Reads every setting, so that invalid ones are reported at start-up. */
  private[andiron] def validate(conf: SparkConf): Unit = {
    all.foreach(_.in(conf))
    if (HardLimitBytes.in(conf) < BudgetBytes.in(conf))
      throw new SettingException(ErrorCode.BadSetting,
        s"${HardLimitBytes.key} is ${HardLimitBytes.in(conf)}, less than ${BudgetBytes.key}, ${BudgetBytes.in(conf)}: raise it or leave it out", null)
  }

  /** Throws if `spark.andiron.enabled` is false. */
  private[andiron] def requireEnabled(conf: SparkConf): Unit =
    if (!Enabled.in(conf))
      throw new SettingException(ErrorCode.BadSetting, s"${Enabled.key} is false: catalogs cannot be made or used. Set it to true.", null)

  /** Whether the whole application runs in this process. */
  private[andiron] def isLocal(conf: SparkConf): Boolean = {
    val master = conf.get("spark.master", "")
    master == "local" || master.startsWith("local[")
  }

  /** An executor's memory outside its heap, as Spark computes it. */
  private[andiron] object BudgetDefault {

    def offHeap(conf: SparkConf): Long =
      if (conf.getBoolean("spark.memory.offHeap.enabled", false)) conf.getSizeAsBytes("spark.memory.offHeap.size", 0L) else 0L

    def overhead(conf: SparkConf): Long = {
      val heap = conf.getSizeAsMb("spark.executor.memory", "1g") * MiB
      val least = conf.getSizeAsMb("spark.executor.minMemoryOverhead", "384m") * MiB
      val share = (heap * conf.getDouble("spark.executor.memoryOverheadFactor", 0.1)).toLong
      if (conf.contains("spark.executor.memoryOverhead")) conf.getSizeAsMb("spark.executor.memoryOverhead") * MiB
      else math.max(share, least)
    }

    def bytes(conf: SparkConf): Long = {
      val room = if (offHeap(conf) > 0) offHeap(conf) else overhead(conf)
      if (isLocal(conf)) math.max(room, GiB) else room
    }
  }
}
