package andiron.internal.boundary

import java.lang.reflect.{InvocationTargetException, Method, Modifier}
import java.nio.file.{Files, Path}

import scala.util.Random

import org.apache.spark.SparkConf
import org.junit.runner.RunWith
import org.scalatest.BeforeAndAfterAll
import org.scalatest.funsuite.AnyFunSuite

import andiron.{AndironConf, AndironException, NativePanicException, ReleasedException, SettingException}
import andiron.internal.cache.ExecutorCache
import andiron.testing.SuiteRunner

/** Every native with arguments that no caller of ours would pass: each answers with a typed exception, and the cache stays whole. */
@RunWith(classOf[SuiteRunner])
class NativeMisuseSuite extends AnyFunSuite with BeforeAndAfterAll {
  private val application = "misuse"
  private var directory: Path = _

  private val natives: Seq[Method] =
    Native.getClass.getDeclaredMethods.toSeq.filter(m => Modifier.isNative(m.getModifiers)).sortBy(_.getName)

  override def beforeAll(): Unit = {
    NativeLibrary.load()
    directory = Files.createTempDirectory("misuse")
    Native.configure(ExecutorCache.settings(
      new SparkConf(false).set(AndironConf.BudgetBytes.key, "1000").set(AndironConf.HardLimitBytes.key, "2000").set(AndironConf.WaitTimeout.key, "1s"),
      application, s"$directory/cache"))
  }

  override def afterAll(): Unit = Native.closeApplication(application)

  /** The exception or the result of the native. */
  private def outcome(method: Method, arguments: Seq[AnyRef]): Either[Throwable, AnyRef] =
    try Right(method.invoke(Native, arguments: _*))
    catch { case e: InvocationTargetException => Left(e.getCause) }

  private def figure(name: String): Long = {
    val names = Native.statNames().split('\n')
    val values = new Array[Long](names.length)
    Native.stats(values)
    values(names.indexOf(name))
  }

  /** Handles of every kind; the stale ones were used and closed. */
  private final class Handles {
    val catalog: Long = Native.openCatalog(application, "numbers", 0, 0)
    val version: Long = Native.addVersion(catalog, "v1", "digest-1", 8, "version 'v1' of dataset 'numbers'")
    private val other = Native.addVersion(catalog, "v2", "digest-2", 8, "version 'v2' of dataset 'numbers'")
    val attempt: Long = Native.beginAttempt("a task", barrier = false)
    val cursor: Long = Native.openCursor(attempt, false)
    load(version)
    val view: Long = Native.openView(cursor, 0, new Array[Long](3))
    val waiting: Long = Native.openCursor(attempt, true)
    Native.advance(waiting, other)
    val pending: Long = Native.nextLoad(1000)

    /** Catalog, version, attempt, cursor, view. */
    val old: (Long, Long, Long, Long, Long) = {
      val closed = Native.openCatalog(application, "old", 0, 0)
      val gone = Native.addVersion(closed, "v1", "digest-3", 8, "gone")
      Native.closeCatalog(closed)
      val ended = Native.beginAttempt("an old task", barrier = false)
      val left = Native.openCursor(ended, false)
      Native.endAttempt(ended)
      val shut = Native.openView(cursor, 0, new Array[Long](3))
      Native.closeView(shut)
      (closed, gone, ended, left, shut)
    }

    val stale: Seq[Long] = Seq(old._1, old._2, old._3, old._4, old._5, pending - 1)

    private def load(version: Long): Unit = {
      assert(Native.advance(cursor, version) == 0)
      val load = Native.nextLoad(1000)
      assert(Native.loadVersion(load) == version)
      if (Native.storeBegin(load, "")) Native.storeWrite(load, "12345678".getBytes, 8)
      Native.storePublish(load)
      assert(Native.advance(cursor, version) > 0)
    }

    def close(): Unit = {
      Native.closeView(view)
      Native.endAttempt(attempt)
      try Native.loadFailed(pending, "the suite is done with it", null)
      catch { case e: AndironException => assert(e.code == 400) } // garbage may have ended it
      Native.closeCatalog(catalog)
    }
  }

  private def withHandles(body: Handles => Unit): Unit = {
    val handles = new Handles
    try body(handles)
    finally handles.close()
    for (name <- Seq("leases", "waiting", "attempts", "cursors", "residentBytes", "reservedBytes"))
      assert(figure(name) == 0, s"$name after the misuse")
  }

  /** Fails unless the native returns or throws a typed exception. Closes the handles that it opened. */
  private def typed(method: Method, arguments: Seq[AnyRef]): Unit = outcome(method, arguments) match {
    case Right(opened: java.lang.Long) =>
      method.getName match {
        case "beginAttempt" => Native.endAttempt(opened): Unit
        case "openCatalog"  => Native.closeCatalog(opened)
        case "openView"     => Native.closeView(opened)
        case _              =>
      }
    case Right(_) =>
    case Left(e: AndironException) if !e.isInstanceOf[NativePanicException] && e.getMessage.nonEmpty =>
    case Left(other) =>
      val shown = arguments.map(argument => String.valueOf(argument).take(40)).mkString(", ")
      fail(s"${method.getName}($shown) threw $other", other)
  }

  private val badLongs = Seq(0L, -1L, 1L, Long.MinValue, Long.MaxValue, 1L << 60, 3L << 60)
  private val badInts = Seq(0, -1, 1, 2, Int.MinValue, Int.MaxValue)
  private val badStrings = Seq(null, "", "x", "\u0000", "a\nb=c\td", "\ud83d\ude00", "\ud800", "x\udc00\ud800y", "/nowhere", "crc32:zz", "y" * 100000)

  private def garbage(random: Random, handles: Handles, method: Method): Seq[AnyRef] = {
    val live = Seq(handles.catalog, handles.version, handles.attempt, handles.cursor, handles.waiting, handles.view, handles.pending)
    def pick[T](choices: Seq[T]): T = choices(random.nextInt(choices.size))
    def long: Long = random.nextInt(4) match {
      case 0 => pick(badLongs)
      case 1 => pick(handles.stale)
      case 2 => pick(live) ^ (if (random.nextBoolean()) 0L else 1L << random.nextInt(63))
      case _ => random.nextLong()
    }
    // With a live handle these calls would end or take the object of the next call, which is no misuse.
    val ends = method.getName.matches("close.*|end.*|loadFailed|giveBackLoad|store.*|release")
    def handle: Long = if (ends) pick(badLongs.filterNot(_ == handles.pending) ++ handles.stale) else long
    method.getParameterTypes.toSeq.zipWithIndex.map { case (parameter, place) =>
      parameter.getName match {
        case "long" if method.getName == "nextLoad"            => Long.box(pick(Seq(-1L, 0L, 1L)))
        case "long"                                            => Long.box(if (place == 0) handle else long)
        case "int"                                             => Int.box(pick(badInts))
        case "boolean"                                         => Boolean.box(random.nextBoolean())
        case "java.lang.String"                                => pick(badStrings)
        case "[J"                                              => if (random.nextInt(4) == 0) null else Array.fill(random.nextInt(5))(long)
        case "[B"                                              => if (random.nextInt(4) == 0) null else new Array[Byte](random.nextInt(5))
        case "java.lang.Throwable"                             => if (random.nextBoolean()) null else new RuntimeException("x")
        case "java.lang.Object"                                => if (random.nextBoolean()) null else "an object"
      }
    }
  }

  test("there are natives, and each is called below") {
    assert(natives.size >= 30)
    assert(natives.forall(m => Modifier.isPublic(m.getModifiers)))
  }

  for (method <- natives)
    test(s"${method.getName} answers garbage with typed exceptions") {
      withHandles { handles =>
        val random = new Random(method.getName.hashCode.toLong)
        for (_ <- 0 until 300) typed(method, garbage(random, handles, method))
      }
    }

  test("a stale handle of every kind is a ReleasedException, one of another kind has code 400") {
    withHandles { h =>
      val (catalog, version, attempt, cursor, view) = h.old
      val uses = Seq[(String, () => Any)](
        "a closed catalog" -> (() => Native.addVersion(catalog, "v", "digest-4", 1, "label")),
        "a closed catalog's version" -> (() => Native.advance(h.cursor, version)),
        "an ended attempt" -> (() => Native.openCursor(attempt, false)),
        "a closed cursor" -> (() => Native.advance(cursor, h.version)),
        "a closed cursor's wait" -> (() => Native.await(cursor, 10)),
        "a closed cursor's bytes" -> (() => Native.openView(cursor, 0, new Array[Long](3))),
        "a closed view" -> (() => Native.viewBuffer(view, 0, 1)))
      for ((what, use) <- uses) withClue(what)(intercept[ReleasedException](use()))
      val kinds = Seq(h.catalog, h.version, h.attempt, h.cursor, h.view)
      for (wrong <- kinds.filterNot(_ == h.cursor)) assert(intercept[AndironException](Native.advance(wrong, h.version)).code == 400)
      for (wrong <- kinds.filterNot(_ == h.view)) assert(intercept[AndironException](Native.viewBuffer(wrong, 0, 1)).code == 400)
    }
  }

  test("ending and closing twice is harmless") {
    withHandles { h =>
      val (catalog, _, attempt, cursor, view) = h.old
      Native.closeCatalog(catalog)
      assert(Native.endAttempt(attempt) == 0)
      Native.release(cursor)
      Native.closeCursor(cursor)
      Native.closeView(view)
      Native.closeApplication("never there")
    }
  }

  test("null strings and arrays, and arrays that are too short, name what is wrong") {
    withHandles { h =>
      val uses = Seq[(String, () => Any)](
        "settings" -> (() => Native.configure(null)),
        "application" -> (() => Native.openCatalog(null, "d", 0, 0)),
        "dataset" -> (() => Native.openCatalog(application, null, 0, 0)),
        "version" -> (() => Native.addVersion(h.catalog, null, "d", 1, "l")),
        "digest" -> (() => Native.addVersion(h.catalog, "v", null, 1, "l")),
        "name" -> (() => Native.beginAttempt(null, barrier = false)),
        "versions" -> (() => Native.advanceAll(h.cursor, null)),
        "out" -> (() => Native.openView(h.cursor, 0, null)),
        "out" -> (() => Native.openView(h.cursor, 0, new Array[Long](2))),
        "out" -> (() => Native.stats(null)),
        "buffer" -> (() => Native.storeWrite(h.pending, null, 0)),
        "buffer" -> (() => Native.storeWrite(h.pending, new Array[Byte](4), 5)),
        "checksum" -> (() => Native.storeBegin(h.pending, null)),
        "path" -> (() => Native.storeCopy(h.pending, null)),
        "path" -> (() => Native.storeEntry(h.pending, null, 1)),
        "-1 bytes" -> (() => Native.storeEntry(h.pending, "a", -1)),
        "files" -> (() => Native.leasedPath(h.cursor, 0)),
        "path" -> (() => Native.mapInPlace(h.pending, null, "")),
        "message" -> (() => Native.loadFailed(h.pending, null, null)))
      for ((what, use) <- uses) withClue(what) {
        val e = intercept[SettingException](use())
        assert(e.code == 403 && e.getMessage.contains(what))
      }
    }
  }

  test("a view's buffer stays inside the version") {
    withHandles { h =>
      assert(Native.viewBuffer(h.view, 0, 8).capacity == 8 && Native.viewBuffer(h.view, 8, 0).capacity == 0)
      for ((offset, length) <- Seq((0L, 9), (8L, 1), (-1L, 1), (0L, -1), (Long.MaxValue, 8), (Long.MinValue, 8), (1L, Int.MaxValue)))
        assert(intercept[SettingException](Native.viewBuffer(h.view, offset, length)).code == 403, s"$length bytes at $offset")
    }
  }
}
