package andiron.internal.boundary

import java.lang.reflect.{Method, Modifier}

import org.apache.spark.SparkConf

import andiron.{AndironConf, AndironException, Bytes}
import andiron.internal.cache.{ExecutorCache, Hold, Views}

/**
 * A program that overflows the stack, catches that, and calls a native at every depth that is left on the way back, again and again: with
 * arguments that are right and with such that are wrong. `StackDepths <directory> <overflows> <native>`; it prints how the calls ended.
 */
object StackDepths {
  private val application = "depths"

  /** The natives of all objects. */
  def natives: Seq[Method] =
    Seq[AnyRef](Native, NativeMetrics, NativeTable).flatMap(_.getClass.getDeclaredMethods.toSeq).filter(m => Modifier.isNative(m.getModifiers)).sortBy(_.getName)

  def main(arguments: Array[String]): Unit = {
    val (directory, overflows, name) = (arguments(0), arguments(1).toInt, arguments(2))
    NativeLibrary.load()
    Native.configure(ExecutorCache.settings(
      new SparkConf(false).set(AndironConf.BudgetBytes.key, "1000").set(AndironConf.HardLimitBytes.key, "2000").set(AndironConf.WaitTimeout.key, "1s"),
      application, s"$directory/cache"))
    val live = new Live
    val calls: Seq[(String, () => Any)] =
      if (name == "buffer") Seq("right" -> (() => live.bytes.buffer(0, 8)))
      else {
        val method = natives.find(_.getName == name).getOrElse(sys.error(s"no native $name"))
        val on = Seq[AnyRef](Native, NativeMetrics, NativeTable).find(_.getClass == method.getDeclaringClass).get
        val wrong = method.getParameterTypes.toSeq.map(StackDepths.wrong)
        (live.right.get(name).map("right" -> _).toSeq :+ ("wrong" -> wrong)).map { case (kind, values) => kind -> (() => method.invoke(on, values: _*)) }
      }
    calls.foreach { case (kind, call) =>
      val overflow = new Overflow(call)
      overflow.repeat(overflows)
      println(s"$name $kind: $overflow")
      overflow.odd.foreach(throw _)
      assert(overflow.isMixed, overflow.toString)
    }
    // The library is whole: an answer, and an error.
    assert(Native.buildInfo().contains("build="))
    assert(try { Native.advance(-1, -1); false } catch { case e: AndironException => e.code == 400 })
    println("done")
    Runtime.getRuntime.halt(0)
  }

  private def wrong(parameter: Class[_]): AnyRef = parameter.getName match {
    case "long"    => Long.box(-1)
    case "int"     => Int.box(-1)
    case "boolean" => Boolean.box(false)
    case _         => null
  }

  /** Valid arguments: a resident version of eight bytes with a cursor and a view. */
  private final class Live {
    private val catalog = Native.openCatalog(application, "numbers", 0, 0)
    private val version = Native.addVersion(catalog, "v1", "digest-1", 8, "version 'v1' of dataset 'numbers'")
    private val attempt = Native.beginAttempt("a task", false)
    private val cursor = Native.openCursor(attempt, false)
    Native.advance(cursor, version)
    private val load = Native.nextLoad(1000)
    if (Native.storeBegin(load, "")) Native.storeWrite(load, "12345678".getBytes, 8)
    Native.storePublish(load)
    Native.advance(cursor, version)
    private val out = new Array[Long](3)
    private val view = Native.openView(cursor, 0, out)
    private val other = Native.openCursor(attempt, false)
    private val long = Long.box(0)

    private val columns = """"columns":[{"name":"k","type":"long","nullable":false}]"""
    private val newTable = s"""{"table":1,"seed":2,"shards":4,$columns,"key":["k"]}"""
    private val newVersion = s"""{"version":"v",$columns,"base":false}"""
    private val parts = """[{"file":null,"shards":4,"rows":0,"added":0,"changed":0,"deleted":0}]"""
    private val description = NativeTable.newTable(newTable, "t")
    private val draft = NativeTable.draft(description, "", newVersion, "t")
    private val line = NativeTable.openLine(description, draft, "t")
    private val part = NativeTable.openPart(description, draft, "", "t")
    NativeTable.lineGrow(line, 0, 1)

    val bytes: Bytes = {
      val view = Views.of(cursor, 0, 0)
      new Bytes(view, new Hold(this, () => "v1"), 0, view.length)
    }

    val right: Map[String, Seq[AnyRef]] = Map(
      "buildInfo" -> Nil, "statNames" -> Nil, "statKinds" -> Nil, "stats" -> Seq(new Array[Long](80)), "setDemand" -> Seq(Long.box(version), Long.box(1)),
      "beginAttempt" -> Seq("a task", Boolean.box(false)), "openCursor" -> Seq(Long.box(attempt), Boolean.box(false)), "advance" -> Seq(Long.box(cursor), Long.box(version)),
      "advanceAll" -> Seq(Long.box(cursor), Array(version)), "await" -> Seq(Long.box(cursor), long), "release" -> Seq(Long.box(other)),
      "openView" -> Seq(Long.box(cursor), Int.box(0), out), "viewBuffer" -> Seq(Long.box(view), long, Int.box(8)),
      "leasedFile" -> Seq(Long.box(cursor), Int.box(0), out), "leasedPath" -> Seq(Long.box(cursor), Int.box(0)), "nextLoad" -> Seq(long), "closeCursor" -> Seq(Long.box(other)),
      "endAttempt" -> Seq(Long.box(other)), "closeView" -> Seq(Long.box(other)), "closeApplication" -> Seq("another"),
      "openCatalog" -> Seq(application, "numbers", Int.box(0), long),
      "addVersion" -> Seq(Long.box(catalog), "v1", "digest-1", Long.box(8), "version 'v1'"),
      "checkDescription" -> Seq(description, "t"), "checkManifest" -> Seq(description, draft, long, "t"), "shardsFor" -> Seq(Long.box(1), Long.box(1)),
      "newTable" -> Seq(newTable, "t"), "draft" -> Seq(description, "", newVersion, "t"), "complete" -> Seq(description, draft, parts, "t"),
      "indexEstimate" -> Seq(description, draft, "t"), "openLine" -> Seq(description, draft, "t"), "lineVersions" -> Seq(Long.box(line)),
      "lineBytes" -> Seq(Long.box(line)), "lineGrow" -> Seq(Long.box(line), Int.box(0), Int.box(1)), "lineOffer" -> Seq(Long.box(line), Int.box(0), Long.box(cursor), Int.box(0)),
      "partTake" -> Seq(Long.box(part), new Array[Byte](64)), "partRows" -> Seq(Long.box(part), new Array[Byte](64), Int.box(0)),
      "checkSinks" -> Seq(""), "command" -> Seq("""["--help"]"""), "atlasFigures" -> Seq(long))
  }
}
