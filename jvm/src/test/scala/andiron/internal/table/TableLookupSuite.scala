package andiron.internal.table

import java.time.Instant

import scala.util.Random

import andiron._
import andiron.testing.SuiteRunner
import andiron.testing.Sparks._

import org.apache.spark.sql.{Column, DataFrame}
import org.apache.spark.sql.functions._
import org.junit.runner.RunWith
import org.scalatest.funsuite.AnyFunSuite

final case class Event(id: Long, k: java.lang.Long, version: String)
final case class Rated(k: Long, n: Int, text: String)

/** Lookups as columns, against a plain join, with and without generated code. */
@RunWith(classOf[SuiteRunner])
class TableLookupSuite extends AnyFunSuite with TableSpark {
  override protected def master: String = "local[3,3]"

  private def code(body: => Any): Int = causeOf[AndironException](intercept[Throwable](body)).code

  /** Rows as texts, which show nested values and nulls. */
  private def shown(rows: DataFrame): Seq[String] =
    rows.select(to_json(struct(col("*")))).collect().map(_.getString(0)).toSeq.sorted

  /** Whole-stage code, generated projections alone, and no generated code. */
  private val modes = Seq(("true", "FALLBACK"), ("false", "CODEGEN_ONLY"), ("false", "NO_CODEGEN"))

  private def inEachMode(body: => Unit): Unit =
    try modes.foreach { case (whole, factory) =>
        spark.conf.set("spark.sql.codegen.wholeStage", whole)
        spark.conf.set("spark.sql.codegen.factoryMode", factory)
        withClue(s"whole stage $whole, $factory: ")(body)
        assert(stats(spark)("leases") == 0)
      }
    finally Seq("spark.sql.codegen.wholeStage", "spark.sql.codegen.factoryMode").foreach(spark.conf.unset)

  /** In each mode, the rows of a lookup are those of a left join with all versions, which have a column `version`. */
  private def equalsJoin(found: => DataFrame, events: DataFrame, versions: DataFrame, key: Seq[String], columns: Seq[String]): Unit = {
    val sides = versions.select(versions.columns.toSeq.map(name => col(name).as(s"t_$name")): _*)
    val on: Column = ("version" +: key).map(name => events(name) === sides(s"t_$name")).reduce(_ && _)
    val joined = events.join(sides, on, "left").select(events.columns.toSeq.map(events(_)) ++ columns.map(name => sides(s"t_$name").as(name)): _*)
    val expected = shown(joined)
    assert(expected.nonEmpty)
    inEachMode {
      val rows = shown(found)
      assert(rows.size == expected.size)
      rows.zip(expected).find { case (a, b) => a != b }.foreach { case (a, b) => fail(s"found $a, expected $b") }
    }
  }

  private def versioned(all: Seq[(String, DataFrame)]): DataFrame =
    all.map { case (version, rows) => rows.withColumn("version", lit(version)) }.reduce((a, b) => a.unionByName(b, allowMissingColumns = true))

  test("random versions with changed, new and deleted keys; events with nulls and unknown versions") {
    val random = new Random(11)
    val table = newTable()
    var rows = (0 until 600).map(key => key.toLong -> random.nextInt()).toMap
    val all = (0 until 6).map { version =>
      if (version > 0) rows = rows.filter(_ => random.nextInt(15) > 0).map { case (k, n) => k -> (if (random.nextInt(8) == 0) random.nextInt() else n) } ++
          Seq.fill(20)(random.nextInt(900).toLong -> random.nextInt())
      val frame: DataFrame = spark.createDataFrame(rows.toSeq.map { case (k, n) => Rated(k, n, if (n % 5 == 0) null else s"text $n") })
      table.publish(frame, s"v$version", Seq("k"), None, isBase = version == 3, shards = 4)
      s"v$version" -> frame
    }
    val events = spark.createDataFrame((0 until 5000).map { id =>
      val version = random.nextInt(9) match {
        case n if n < 6 => s"v$n"
        case 6          => null
        case n          => s"unknown $n ${random.nextInt(3)}"
      }
      Event(id.toLong, if (random.nextInt(12) == 0) null else random.nextInt(900).toLong, version)
    }).repartition(3)
    equalsJoin(events.lookup(table, Seq("k"), col("version"), Seq("text", "n"), Missing.Null), events, versioned(all), Seq("k"), Seq("text", "n"))
    val known = events.filter(col("version").isNull || !col("version").startsWith("unknown"))
    // Rows in the order of the versions, and one version throughout.
    val sorted = known.sortWithinPartitions(col("version").desc)
    equalsJoin(sorted.lookup(table, Map("k" -> "k"), col("version")), known, versioned(all), Seq("k"), Seq("n", "text"))
  }

  private val types: Seq[(String, String)] = Seq(
    "truth" -> "id % 2 = 0", "b" -> "cast(id % 100 as byte)", "s" -> "cast(id * 31 % 30000 as short)", "i" -> "cast(id * -7 as int)", "l" -> "id * 1000003 - 50",
    "f" -> "cast(case id % 9 when 0 then 'NaN' when 1 then '-0.0' when 2 then '0.0' else id / 3 end as float)",
    "d" -> "cast(case id % 9 when 0 then 'NaN' when 1 then '-0.0' when 2 then '-Infinity' else id / 7 end as double)",
    "day" -> "date_add(date'1969-06-01', cast(id as int))", "at" -> "timestamp_micros(id * 86400000001 - 77)",
    "local" -> "cast(timestamp_micros(id * 3600000001) as timestamp_ntz)", "small" -> "cast(id / 100 - 1 as decimal(9,2))", "wide" -> "cast(id as decimal(38,10)) / 3 - 10",
    "text" -> "case id % 50 when 0 then '' else concat('é', id) end", "bytes" -> "cast(repeat('x', cast(id % 40 as int)) as binary)")

  private def ids(from: Int, until: Int): DataFrame = spark.range(from.toLong, until.toLong, 1, 2).toDF("id").selectExpr(types.map { case (name, expr) => s"$expr as $name" }: _*)

  test("keys of every type, alone and together") {
    val keys = types.map(kind => Seq(kind._1)) ++ Seq(types.map(_._1), Seq("text", "b"), Seq("wide", "bytes", "l"), Seq("f", "truth"))
    val events = ids(100, 250).select(types.map { case (name, _) => when(rand(3) < 0.9, col(name)).as(name) } :+ lit("one").as("version") :+ monotonically_increasing_id().as("id"): _*).cache()
    val tables = keys.zipWithIndex.map { case (key, at) =>
      // For Spark's join 0.0 and -0.0 are one value, and so for the table.
      val rows = ids(0, 150).select(key.map(name => if (name == "f" || name == "d") (col(name) + 0.0).cast(if (name == "f") "float" else "double").as(name) else col(name)): _*)
        .dropDuplicates(key).withColumn(s"v$at", xxhash64(key.map(col): _*))
      val table = newTable()
      table.publish(rows, "one", key, None, isBase = false, shards = 1)
      val joined = events.join(rows.toDF(key.map(name => s"key_$name") :+ "value": _*), key.map(name => col(name) === col(s"key_$name")).reduce(_ && _))
      val expected = joined.select("id", "value").collect().map(row => row.getLong(0) -> row.getLong(1)).toMap
      assert(expected.nonEmpty && expected.size < 150, key)
      (key, table, expected)
    }
    inEachMode {
      val found = tables.foldLeft(events) { case (left, (key, table, _)) => left.lookup(table, key, col("version")) }.collect()
      assert(found.length == 150)
      for (row <- found; ((key, _, expected), at) <- tables.zipWithIndex)
        assert(Option(row.getAs[Any](s"v$at")) == expected.get(row.getAs[Long]("id")), s"key $key of $row")
    }
    events.unpersist()
  }

  test("values of every type, read alone and through an exchange") {
    val table = newTable()
    val nested = Seq("array(text, null, 'x') as list", "map(text, i) as map", "named_struct('x', i, 'ys', array(d)) as inner").map(expr)
    val columns = (types.map { case (name, _) => when(col("n") % 5 =!= 0, col(name)).as(name) } ++ nested).toSeq
    val rows = spark.range(0, 300, 1, 2).toDF("id").selectExpr("id as k" +: "id as n" +: types.map { case (name, expr) => s"$expr as $name" }: _*).select(col("k") +: columns: _*)
    table.publish(rows, "one", Seq("k"))
    val events = spark.range(0, 400, 1, 2).select(col("id").as("k"), lit("one").as("version"))
    val versions = rows.withColumn("version", lit("one"))
    val names = rows.columns.toSeq.filter(_ != "k")
    equalsJoin(events.lookup(table, Seq("k"), col("version")), events, versions, Seq("k"), names)
    Seq("wide", "bytes", "inner").foreach(name => equalsJoin(events.lookup(table, Seq("k"), col("version"), Seq(name)), events, versions, Seq("k"), Seq(name)))
    table.register("every type")
    events.createOrReplaceTempView("every_event")
    // The whole record crosses an exchange, and becomes an unsafe row there.
    val whole = spark.sql("select to_json(r) as json from (select /*+ repartition(3) */ andiron_lookup('every type', version, k) as r from every_event)")
    val expected = rows.select(to_json(struct(rows.columns.toSeq.map(col): _*))).collect().map(_.getString(0)).toSeq.sorted
    inEachMode {
      val found = whole.collect().toSeq.map(row => Option(row.getString(0)))
      assert(found.count(_.isEmpty) == 100 && found.flatten.sorted == expected)
    }
  }

  test("columns that are added, left out, widened, and replaced in a base") {
    val table = newTable()
    val first = spark.range(100).select(col("id").cast("int").as("k"), col("id").cast("byte").as("n"), col("id").cast("float").as("f"), col("id").cast("decimal(5,2)").as("money"), lit("x").as("gone"))
    table.publish(first, "one", Seq("k"))
    val second = spark.range(120).select(
      col("id").as("k"), (col("id") - (col("id") % 3 === 0).cast("int")).cast("int").as("n"), col("id").cast("double").as("f"), col("id").cast("decimal(30,2)").as("money"),
      when(col("id") % 2 === 0, col("id").cast("string")).as("more"))
    table.publish(second, "two")
    val events = spark.range(0, 260, 1, 3).select((col("id") % 130).as("k"), when(col("id") < 130, "one").otherwise("two").as("version"))
    val names = Seq("n", "f", "money", "more")
    val versions = versioned(Seq("one" -> first.select(col("k").cast("long").as("k"), col("n").cast("int").as("n"), col("f").cast("double").as("f"), col("money").cast("decimal(30,2)").as("money")), "two" -> second))
    equalsJoin(events.lookup(table, Seq("k"), col("version")), events, versions, Seq("k"), names)
    assert(code(events.lookup(table, Seq("k"), col("version"), Seq("gone"))) == ErrorCode.TableSchema)
    // A base may give a column another type, which is an error for rows of an older version, and for no others.
    table.publish(spark.range(10).select(col("id").as("k"), lit("text").as("n")), "three", Nil, None, isBase = true, shards = 0)
    val mixed = events.lookup(table, Seq("k"), col("version"), Seq("n"))
    val error = causeOf[TableException](intercept[Throwable](mixed.collect()))
    assert(error.code == ErrorCode.TableSchema && error.getMessage.contains("'n'") && error.getMessage.contains("STRING"), error)
    assert(events.withColumn("version", lit("three")).lookup(table, Seq("k"), col("version"), Seq("n")).filter(col("n") === "text").count() == 20)
    assert(stats(spark)("leases") == 0)
  }

  test("columns of the rows widen to the key, or are a typed error before the query runs") {
    val key = Seq("l", "d", "m")
    val table = newTable()
    table.publish(spark.range(100).select(col("id").as("l"), (col("id") / 4).as("d"), col("id").cast("decimal(30,1)").as("m"), col("id").as("value")), "one", key)
    val events = spark.range(200).select(col("id").cast("short").as("l"), (col("id") / 4).cast("float").as("d"), col("id").cast("decimal(7,1)").as("m"), col("id"), lit("one").as("version"))
    val found = events.lookup(table, Seq("m", "l", "d"), col("version"))
    inEachMode(assert(found.filter(col("value") === col("id")).count() == 100 && found.filter(col("value").isNull).count() == 100))
    val renamed = events.toDF("a", "b", "c", "id", "version")
    assert(renamed.lookup(table, Map("a" -> "l", "b" -> "d", "c" -> "m"), col("version")).filter(col("value") === col("id")).count() == 100)
    Seq("l" -> "string", "d" -> "decimal(5,1)", "m" -> "decimal(10,2)", "m" -> "int").foreach { case (name, kind) =>
      val error = causeOf[TableException](intercept[Throwable](events.withColumn(name, col(name).cast(kind)).lookup(table, key, col("version"))))
      assert(error.code == ErrorCode.TableSchema && error.getMessage.contains(s"'$name'") && error.getMessage.toLowerCase.contains(kind), error)
    }
    assert(code(events.lookup(table, Seq("l", "d"), col("version"))) == ErrorCode.BadArgument)
    assert(code(events.lookup(table, Seq("l", "d", "id"), col("version"))) == ErrorCode.BadArgument)
    assert(code(events.lookup(table, key, col("version"), Seq("none"))) == ErrorCode.TableSchema)
    assert(code(found.lookup(table, key, col("version"))) == ErrorCode.BadArgument, "the rows have the column")
  }

  /** A table of ids 0 to 99 with n = 10 id and texts; in the second version, n = 20 id and the key 7 is deleted. */
  private def small(): Table = {
    val table = newTable()
    table.publish(spark.range(100).select(col("id").as("k"), (col("id") * 10).cast("int").as("n"), concat(lit("a"), col("id")).as("text")), "one", Seq("k"), Some(Instant.ofEpochSecond(100)), isBase = false, shards = 1)
    table.publish(spark.range(100).filter("id != 7").select(col("id").as("k"), (col("id") * 20).cast("int").as("n"), concat(lit("b"), col("id")).as("text")), "two", Nil, Some(Instant.ofEpochSecond(200)), isBase = false, shards = 0)
    table
  }

  private def events(rows: Long): DataFrame =
    spark.range(0, rows, 1, 3).select(col("id"), (col("id") % 110).as("k"), when(col("id") % 2 === 0, "one").otherwise("two").as("version"))

  test("an unknown version fails the task, is null, or drops the row") {
    val table = small()
    val some = events(220).withColumn("version", when(col("id") === 0, lit(null).cast("string")).when(col("id") < 10, "three").otherwise(col("version")))
    val error = causeOf[UnknownVersionException](intercept[Throwable](some.lookup(table, Seq("k"), col("version")).collect()))
    assert(error.code == ErrorCode.UnknownVersion && error.getMessage.contains("'three'"), error)
    assert(some.filter("version is null").lookup(table, Seq("k"), col("version")).filter("n is null and text is null").count() == 1)
    assert(some.lookup(table, Seq("k"), col("version"), Seq("n"), Missing.Null).filter("id < 10 and n is null").count() == 10)
    val kept = some.lookup(table, Seq("k"), col("version"), Seq("n"), Missing.Skip)
    assert(kept.count() == 210 && kept.filter("id < 10").count() == 0 && kept.filter("n is null").count() == some.filter("id >= 10 and (k >= 100 or k = 7 and version = 'two')").count())
    assert(stats(spark)("leases") == 0)
  }

  test("a record is found inside whole-stage code, and only fields that are used are read") {
    val table = small()
    table.register("small")
    events(1000).createOrReplaceTempView("small_events")
    val pruned = spark.sql("explain codegen select id, andiron_lookup('small', version, k).n from small_events").collect().head.getString(0)
    assert(pruned.contains("Found 1 WholeStageCodegen subtrees") && pruned.contains(".findWord(") && pruned.contains("andiron_lookup"), pruned)
    assert(pruned.contains("getInt(1)") && !pruned.contains("getInt(2)") && !pruned.contains("getUTF8String(2)"), pruned)
    // The record is looked up once for two fields.
    val twice = spark.sql("explain codegen select id, andiron_lookup('small', version, k).n, andiron_lookup('small', version, k).text from small_events").collect().head.getString(0)
    assert("\\.findWord\\(".r.findAllIn(twice).size == 1, twice)
    // A filter, which Spark moves below the projection, and the projection share a reader.
    val filtered = spark.sql("explain codegen select * from (select id, andiron_lookup('small', version, k).n as n from small_events) where n > 500").collect().head.getString(0)
    assert("\\.begin\\(\\)".r.findAllIn(filtered).size == 1 && "\\.findWord\\(".r.findAllIn(filtered).size == 2, filtered)
    val row = spark.sql("select sum(andiron_lookup('small', version, k).n), count(andiron_lookup('small', version, k)) from small_events").collect().head
    val expected = events(1000).collect().map(row => (row.getLong(1), row.getString(2))).filter { case (k, version) => k < 100 && !(k == 7 && version == "two") }
    assert(row.getLong(0) == expected.map { case (k, version) => k * (if (version == "one") 10 else 20) }.sum && row.getLong(1) == expected.length)
    assert(stats(spark)("leases") == 0)
  }

  test("filters, joins and aggregates of looked up fields; records that operators keep") {
    val table = small()
    val found = events(2000).lookup(table, Seq("k"), col("version"))
    val truth = found.collect().map(row => (row.getLong(0), Option(row.get(3)).map(_.toString.toInt), Option(row.getString(4)))).toSeq
    inEachMode {
      assert(found.filter(col("n") > 500 && col("text").startsWith("b")).count() == truth.count { case (_, n, text) => n.exists(_ > 500) && text.exists(_.startsWith("b")) })
      val self = found.as("a").join(found.as("b"), col("a.n") === col("b.n") && col("a.id") < col("b.id"))
      assert(self.count() == truth.flatMap(_._2).groupBy(identity).values.map(same => same.size.toLong * (same.size - 1) / 2).sum)
      table.register("kept")
      events(2000).createOrReplaceTempView("kept_events")
      val kept = spark.sql("select k, collect_list(r) as all, max(r.n), first(r.text), max_by(r, id) as last from (select *, andiron_lookup('kept', version, k) as r from kept_events) group by k order by k")
      kept.collect().foreach { row =>
        val k = row.getLong(0)
        val records = row.getSeq[org.apache.spark.sql.Row](1)
        assert(records.size == (if (k >= 100) 0 else truth.count { case (id, n, _) => id % 110 == k && n.isDefined }))
        records.foreach(record => assert(record.getLong(0) == k && Set(s"a$k" -> 10 * k, s"b$k" -> 20 * k)(record.getString(2) -> record.getInt(1).toLong), record))
      }
      assert(spark.sql("select * from kept_events where andiron_lookup('kept', version, k).n in (select 2 * id from kept_events) order by andiron_lookup('kept', version, k).text").count() > 0)
    }
  }

  test("a task that is tried again looks up the same, and rows on the driver leave no lease") {
    val table = small()
    val failing = udf { (id: Long) =>
      if (id % 700 == 69 && org.apache.spark.TaskContext.get().attemptNumber() == 0) sys.error("the first attempt fails")
      id
    }
    val found = events(2000).lookup(table, Seq("k"), col("version"), Seq("n")).withColumn("id", failing(col("id")))
    assert(found.filter("n is not null").count() == events(2000).filter("k < 100 and not (k = 7 and version = 'two')").count())
    assert(stats(spark)("leases") == 0)
    val local: DataFrame = spark.createDataFrame(Seq(Event(1, 7L, "one"), Event(2, 7L, "two"), Event(3, null, "two"), Event(4, 99L, "two")))
    assert(local.lookup(table, Seq("k"), col("version")).orderBy("id").collect().map(_.getAs[String]("text")).toSeq == Seq("a7", null, null, "b99"))
    assert(stats(spark)("leases") == 0)
  }

  test("rows of a stream are looked up") {
    val table = small()
    val files = directory.resolve("stream").toUri.toString
    events(500).write.parquet(files)
    val stream = spark.readStream.schema(events(1).schema).parquet(files).lookup(table, Seq("k"), col("version"), Seq("n"))
    stream.writeStream.format("memory").queryName("looked_up").trigger(org.apache.spark.sql.streaming.Trigger.AvailableNow()).start().awaitTermination()
    assert(shown(spark.table("looked_up")) == shown(events(500).lookup(table, Seq("k"), col("version"), Seq("n"))))
    assert(stats(spark)("leases") == 0)
  }

  test("a key beyond 65,535 bytes has no record") {
    val table = newTable()
    val texts = spark.range(65534, 65538).select(expr("repeat('x', cast(id as int))").as("text"), col("id"), lit("one").as("version"))
    table.publish(texts.filter("id < 65536").select(col("text"), col("id").as("n")), "one", Seq("text"))
    inEachMode(assert(texts.lookup(table, Seq("text"), col("version")).filter("n is not null").select("id").collect().map(_.getLong(0)).toSet == Set(65534L, 65535L)))
  }

  test("the version that is valid at a time equals brute force, with ties, gaps and versions without a time") {
    val random = new Random(5)
    val table = newTable()
    // (name, seconds): out of order, twice the same, and one without a time.
    val valid = Seq("a" -> Some(1000), "b" -> Some(3000), "c" -> None, "d" -> Some(2000), "e" -> Some(3000), "f" -> Some(-50))
    valid.zipWithIndex.foreach { case ((name, seconds), at) =>
      table.publish(spark.range(50).select(col("id").as("k"), (col("id") * 100 + at).as("n")), name, if (at == 0) Seq("k") else Nil, seconds.map(time => Instant.ofEpochSecond(time.toLong)), isBase = at == 3, shards = 0)
    }
    val times = Seq.fill(500)(random.nextInt(5000000).toLong - 1000000) ++ Seq(-50000L, -50001L, 1000000L, 999999L, 3000000L, 2999999L, 1999999L)
    val rows = times.zipWithIndex.map { case (millis, id) => (id.toLong, id.toLong % 60, millis) }
    val asked = spark.createDataFrame(rows).toDF("id", "k", "millis").withColumn("time", when(col("id") % 17 =!= 0, timestamp_millis(col("millis"))))
    def best(millis: Long): Option[Int] = valid.zipWithIndex.collect { case ((_, Some(seconds)), at) if seconds * 1000L <= millis => (seconds, at) }.sorted.lastOption.map(_._2)
    inEachMode {
      asked.lookupAsOf(table, Seq("k"), col("time")).collect().foreach { row =>
        val (id, k, millis) = (row.getLong(0), row.getLong(1), row.getLong(2))
        val expected = if (id % 17 == 0 || k >= 50) None else best(millis).map(k * 100 + _)
        assert(Option(row.getAs[Any]("n")) == expected, row)
      }
    }
    table.register("timed")
    asked.createOrReplaceTempView("timed_events")
    val named = spark.sql("select millis, andiron_version_at('timed', time) from timed_events where time is not null").collect()
    named.foreach(row => assert(Option(row.getString(1)) == best(row.getLong(0)).map(valid(_)._1), row))
    assert(spark.sql("select andiron_lookup('timed', andiron_version_at('timed', timestamp'2020-01-01 00:00:00'), 3L).n").collect().head.getLong(0) == 304)
    assert(code(asked.lookupAsOf(table, Seq("k"), col("millis"))) == ErrorCode.TableSchema)
    val untimed = newTable()
    untimed.publish(spark.range(3).toDF("k").withColumn("n", lit(1)), "one", Seq("k"))
    assert(code(asked.lookupAsOf(untimed, Seq("k"), col("time"))) == ErrorCode.BadArgument)
  }

  test("SQL names a registered table, and sees a version that was published after its registration") {
    val table = small()
    assert(code(spark.sql("select andiron_lookup('never registered', 'one', 1L)")) == ErrorCode.BadArgument)
    table.register("sql")
    assert(spark.sql("select andiron_lookup('sql', 'two', 8).text, andiron_lookup('sql', 'two', 7L), andiron_lookup('sql', null, 8), andiron_lookup('sql', 'one', null).n").collect().head.toSeq == Seq("b8", null, null, null))
    assert(code(spark.sql("select andiron_lookup('sql', 'three', 8L).text").collect()) == ErrorCode.UnknownVersion)
    table.publish(spark.range(9).select(col("id").as("k"), col("id").cast("int").as("n"), lit("c").as("text")), "three")
    assert(spark.sql("select andiron_lookup('sql', 'three', 8L).text").collect().head.getString(0) == "c")
    assert(code(spark.sql("select andiron_lookup('sql', 3, 8L)")) == ErrorCode.TableSchema)
    assert(code(spark.sql("select andiron_lookup('sql', 'one')")) == ErrorCode.BadArgument)
    assert(code(spark.sql("select andiron_lookup(concat('s', 'ql', id), 'one', 8L) from range(1)")) == ErrorCode.BadArgument)
    assert(stats(spark)("leases") == 0)
  }
}

/** The functions in sessions of an application with the plugin. */
@RunWith(classOf[SuiteRunner])
class TableFunctionsSuite extends AnyFunSuite {
  test("the plugin gives the functions to every session, with and without the metrics") {
    Seq("true", "false").foreach { metrics =>
      withDirectory { directory =>
        withSpark("local[2]", "spark.plugins" -> "andiron.AndironPlugin", "spark.andiron.metrics.enabled" -> metrics, "spark.andiron.log.dir" -> directory.resolve("log").toString) { spark =>
          val table = VersionedData.table(spark, directory.resolve("t").toUri.toString)
          table.publish(spark.range(10).select(col("id").as("k"), (col("id") * 2).as("n")), "one", Seq("k"))
          table.register("numbers")
          val other = spark.newSession()
          assert(other.sql("select sum(andiron_lookup('numbers', 'one', id).n) from range(20)").collect().head.getLong(0) == 90)
          assert(stats(spark)("leases") == 0)
        }
      }
    }
  }
}
