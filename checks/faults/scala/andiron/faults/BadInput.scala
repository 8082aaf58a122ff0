package andiron.faults

import java.nio.file.attribute.FileTime
import java.nio.file.{Files, Path, Paths}
import java.util.concurrent.{CountDownLatch, TimeUnit}
import java.util.concurrent.atomic.{AtomicInteger, AtomicReference}

import org.apache.spark.SparkException

import andiron._
import andiron.harness.Waiting

/** The state that the loaders of this process share with the faults, and in local mode with the tasks. */
object BadLoaders {
  val calls = new AtomicInteger
  @volatile var gate = new CountDownLatch(0)

  final class Thrown(message: String) extends java.io.IOException(message)

  def throwing(times: Int): String = if (calls.incrementAndGet() <= times) throw new Thrown("injected by a loader") else "loaded"

  /** Ignores interrupts, like some client libraries. */
  def hanging(): String = {
    if (calls.incrementAndGet() == 1) while (gate.getCount > 0)
      try gate.await(20, TimeUnit.SECONDS): Unit
      catch { case _: InterruptedException => }
    "loaded"
  }
}

/**
 * Faulty input, in local mode. Four tasks that wait for one load must get a typed error that names dataset, version, source and cause;
 * afterwards the job must be right and no bytes of the faulty dataset reserved.
 */
object BadInput {
  private val Dataset = "bad-input"

  /** The error that failed the tasks of a job; it must have the code and name all of `parts`. */
  private def refused(code: Int, parts: String*)(action: => Any): AndironException = {
    val answer =
      try Left(action)
      catch { case e @ (_: SparkException | _: AndironException) => Right(e) }
    val error = answer.toOption.toSeq.flatMap(e => Iterator.iterate[Throwable](e)(_.getCause).takeWhile(_ != null)).collectFirst {
      case e: AndironException => e
    }
    Fault.require(error.exists(_.code == code), s"code $code was expected, not: ${answer.fold(value => s"the value $value", e => e.toString)}")
    val missing = parts.filterNot(error.get.getMessage.contains)
    Fault.require(missing.isEmpty, s"${missing.mkString(", ")} should be named: ${error.get.getMessage}")
    error.get
  }

  /** Runs four tasks that request the version at once; returns the number of tasks that got it. */
  private def wanted(bench: Bench, catalog: Catalog[_], version: String): Long =
    bench.spark.sparkContext.parallelize(0 until 4, 4).map(_ => catalog.cursor().advance(version)).count()

  private def withCatalog[V, A](bench: Bench, loader: Loader[V], versions: Version*)(body: Catalog[V] => A): A = {
    val catalog = VersionedData.catalog(bench.spark, Dataset, versions, loader)
    try body(catalog)
    finally catalog.close()
  }

  /** Runs the job with bytes and with objects, after the reserved bytes equal those of the resident versions. */
  private def intact(bench: Bench, message: String): Seen = {
    Waiting.until("end of every reservation", 20) {
      val figures = OneProcess.nativeFigures()
      figures("reservedBytes") == figures("residentBytes") && figures("leases") == 0 && figures("waiting") == 0
    }
    Seen(Seq(bench.digest(), bench.objectDigest()), Seq("message" -> message))
  }

  private def file(bench: Bench, name: String): Path = {
    val path = Paths.get(bench.folder, "versions", s"$Dataset-$name")
    Cells.write(path, name, Bench.SmallLongs)
    path
  }

  private def later(path: Path): Unit =
    Files.setLastModifiedTime(path, FileTime.fromMillis(System.currentTimeMillis() + 5000)): Unit

  private def at(path: Path): Version = Version("v", s"file:$path")

  /** A source that `change` makes unusable once a catalog with its version exists. The error has the code and names dataset, source and `more`. */
  private def changed(name: String, code: Int, more: String*)(version: Path => Version)(change: Path => Unit): Fault = Fault(name) { (bench, _) =>
    val path = file(bench, name)
    val error = withCatalog(bench, Loader.bytes, version(path)) { catalog =>
      change(path)
      refused(code, Seq(Dataset, path.toString) ++ more: _*)(wanted(bench, catalog, "v"))
    }
    intact(bench, error.getMessage)
  }

  private val unknown = Fault("unknown-version") { (bench, _) =>
    val errors = Seq[(String, Int)](("v9", 100), ("", 100), (null, 101)).map { case (version, code) =>
      refused(code, "'small'", if (version == null) "null" else s"'$version'")(wanted(bench, bench.small, version))
    }
    intact(bench, errors.head.getMessage)
  }

  private val missing = changed("missing-source", 103, "'v'")(at)(Files.delete(_))
  private val truncated = changed("truncated-source", 104, "'v'", "1000")(at)(path => Files.write(path, Files.readAllBytes(path).take(1000)): Unit)
  private val wrongChecksum = changed("wrong-checksum", 106, "\"v\"", "0123456789abcdef")(at(_).copy(checksum = Some("xxh3:0123456789abcdef")))(_ => ())
  private val tooLarge = changed("version-too-large", 102, "\"v\"", "spark.andiron.cache.budgetBytes") { path =>
    Cells.write(path, "large", Bench.BudgetLongs + 1)
    at(path)
  }(_ => ())

  /** The file is rewritten while its stream stops halfway. */
  private val rewritten = Fault("rewritten-source") { (bench, _) =>
    bench.signals.clear()
    val writer = new AtomicReference[Thread]
    val fault = changed("rewritten-source", 105, "'v'")(path => Version("v", s"slow:$path")) { path =>
      writer.set(new Thread(() => {
        bench.signals.await("half-")
        later(path)
        bench.signals.mark("go"): Unit
      }))
      writer.get.start()
    }
    try fault.run(bench, 0)
    finally writer.get.join()
  }

  private def custom(load: => String, size: Long): Loader[String] = Loader.custom[String]((_: Version) => load)((_: String) => size)

  /** A loader that throws at its first call, and one that always throws. */
  private val throwing = Fault("loader-throws") { (bench, _) =>
    val errors = Seq(1, Int.MaxValue).map { times =>
      BadLoaders.calls.set(0)
      withCatalog(bench, custom(BadLoaders.throwing(times), 1), Version("v", "some:where")) { catalog =>
        val error = refused(107, Dataset, "'v'", "some:where", "injected by a loader")(wanted(bench, catalog, "v"))
        Fault.require(error.getCause.isInstanceOf[BadLoaders.Thrown], s"its cause is ${error.getCause}")
        Thread.sleep(2 * Bench.FailureMemoryMillis)
        if (times == 1) Fault.require(wanted(bench, catalog, "v") == 4, "the second load should have done")
        else refused(107, "injected by a loader")(wanted(bench, catalog, "v")): Unit
        error
      }
    }
    intact(bench, errors.head.getMessage)
  }

  /** A loader that exceeds the application's time limit of 1 s. */
  private val hanging = Fault("loader-hangs") { (bench, _) =>
    bench.spark.stop()
    BadLoaders.calls.set(0)
    BadLoaders.gate = new CountDownLatch(1)
    bench.following("spark.andiron.cache.loadTimeout" -> "1s") { impatient =>
      val error = withCatalog(impatient, custom(BadLoaders.hanging(), 1), Version("v", "some:where", bytes = Some(7))) { catalog =>
        val error = refused(108, Dataset, "v", "some:where", "spark.andiron.cache.loadTimeout")(wanted(impatient, catalog, "v"))
        Fault.require(OneProcess.nativeFigures()("reservedBytes") >= 7, "a load that has not returned keeps its reservation")
        BadLoaders.gate.countDown()
        Thread.sleep(2 * Bench.FailureMemoryMillis)
        Fault.require(wanted(impatient, catalog, "v") == 4, "the next load should have done")
        error
      }
      val seen = intact(impatient, error.getMessage)
      Fault.require(OneProcess.nativeFigures()("abandonedLoads") == 1, "the late result was not counted")
      seen
    }
  }

  /** Loaders whose objects are larger than the budget, null, or of negative size. */
  private val lying = Fault("loader-lies") { (bench, _) =>
    val source = Version("v", "some:where", bytes = Some(1))
    val errors = Seq(
      (custom("x", Bench.BudgetBytes + 1), 102, "spark.andiron.cache.budgetBytes"),
      (custom(null, 1), 107, "null"),
      (custom("x", -1), 403, "-1")).map { case (loader, code, cause) =>
      withCatalog(bench, loader, source)(catalog => refused(code, Dataset, "v", "some:where", cause)(wanted(bench, catalog, "v")))
    }
    intact(bench, errors.head.getMessage)
  }

  /** An application with a budget of zero cannot create a catalog; the next application, with a budget, can. */
  private val noBudget = Fault("budget-of-zero") { (bench, _) =>
    bench.spark.stop()
    val error =
      try Left(bench.following("spark.andiron.cache.budgetBytes" -> "0")(_.small.versions))
      catch { case e: Exception => Right(e) }
    val found = error.toOption.toSeq.flatMap(e => Iterator.iterate[Throwable](e)(_.getCause).takeWhile(_ != null))
    val refusal = found.collectFirst { case e: SettingException => e.getMessage }
    Fault.require(refusal.exists(_.contains("spark.andiron.cache.budgetBytes")), s"a budget of zero: $error")
    bench.following()(intact(_, refusal.get))
  }

  val all: Seq[Fault] = Seq(unknown, missing, truncated, rewritten, wrongChecksum, throwing, hanging, lying, tooLarge, noBudget)
}
