import getpass
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from pyspark.sql import Row, functions

import andiron
from support import Application

SCHEMA = "id long, half double, name string"


def unkeyed(place, text):
    """The hash without a key, which every reader of the log can compute: FNV-1a, mixed."""
    h = 0xcbf29ce484222325
    for byte in place.encode() + b"\0" + text.encode():
        h = (h ^ byte) * 0x100000001b3 % (1 << 64)
    h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9 % (1 << 64)
    h = (h ^ (h >> 27)) * 0x94d049bb133111eb % (1 << 64)
    return h ^ (h >> 31)


class Steps(Application):
    """Steps in Python: counted once, sampled, judged."""

    def setUp(self):
        self.name = self.id().rsplit(".", 1)[-1]
        self.step = andiron.Step(self.spark, self.name)
        self.addCleanup(self.step.close)
        self.rows = self.spark.range(0, 1000, 1, 4).selectExpr("id", "concat('n', id) as name", "array(id, id + 1) as pair", "named_struct('x', id) as s")

    def counted(self, **expected):
        figures = self.step.figures
        self.assertEqual({name: figures[name] for name in expected}, expected)
        self.assertTrue(figures.exact, figures)

    def test_map_counts_drops_and_samples(self):
        odd = self.step.counter("odd")

        def half(row):
            if row.id % 2:
                odd.increment()
            if row.id % 100 == 7:
                raise KeyError(f"no {row.name}")
            return {"id": row.id, "half": row.id / 2, "name": row.name} if row.id % 3 else (row.id, row.id / 2, None)

        made = self.step.map(self.rows, half, SCHEMA, key=lambda row: f"row {row.id}", version=lambda row: "v1")
        self.assertEqual(made.dtypes, [("id", "bigint"), ("half", "double"), ("name", "string")])
        found = made.orderBy("id").collect()
        self.assertEqual(found, [Row(id=i, half=i / 2, name=f"n{i}" if i % 3 else None) for i in range(1000) if i % 100 != 7])
        self.counted(**{"in": 1000, "out": 990, "dropped": 10, "odd": 500})
        report = andiron.report(self.spark)
        for text in (self.name, "KeyError: 'no n", "row 7", "10 of 10 failed rows sampled", "test_steps.py"):
            self.assertIn(text, report)
        self.assertIn("<html", andiron.report(self.spark, html=True))
        self.assertFalse(odd.increment(), "outside the step's functions nothing is counted")

    def test_each_object_of_a_step_has_its_own_figures(self):
        for _ in range(3):
            with andiron.Step(self.spark, f"{self.name} cell") as step:
                self.assertEqual(step.count(self.rows).count(), 1000)
                self.assertEqual((step.figures["in"], step.figures.exact), (1000, True), step.figures)

    def test_a_batch_that_is_executed_again_counts_once(self):
        executed = []
        source, work = tempfile.mkdtemp(), tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, source)
        self.addCleanup(shutil.rmtree, work)
        for n, rows in enumerate((500, 50, 450)):
            file = pathlib.Path(source, f"{n}.txt")
            file.write_text("x\n" * rows)
            os.utime(file, (1600000000 + n * 60,) * 2)

        def batch(rows, id):
            self.step.count(rows).write.mode("append").parquet(f"{work}/out")
            executed.append(id)
            if executed == [0, 1]:
                raise RuntimeError("the driver goes down")

        for _ in range(2):
            stream = self.spark.readStream.option("maxFilesPerTrigger", 1).text(source)
            query = stream.writeStream.foreachBatch(batch).option("checkpointLocation", f"{work}/checkpoint").start()
            try:
                query.processAllAvailable()
            except Exception as error:
                self.assertIn("the driver goes down", str(error))
            finally:
                query.stop()
        self.assertEqual(executed, [0, 1, 1, 2])
        self.counted(**{"in": 1000, "out": 1000, "dropped": 0})

    def test_counters_take_whole_numbers(self):
        hits = self.step.counter("hits")

        def count(row):
            import numpy

            hits.add(numpy.int64(2) if row.id >= 5 else (1.5, "1", None, True, 1 << 63)[row.id])
            return (row.id, 0.0, None)

        self.assertEqual(self.step.map(self.rows, count, SCHEMA).count(), 995)
        self.counted(**{"in": 1000, "out": 995, "dropped": 5, "hits": 1990})
        self.assertIn("counter 'hits' counts whole numbers", andiron.report(self.spark))

    def test_what_is_no_exception_drops_its_row_too(self):
        class Panic(BaseException):
            """A panic, as raised by PyO3."""

        def half(row):
            if row.id < 3:
                sys.exit(row.id)
            if row.id < 5:
                raise Panic("at once")
            if row.id == 5:
                raise ValueError(Silent())
            return row.id, 1.0, None

        class Silent:
            def __str__(self):
                sys.exit("in str")

        made = self.step.map(self.rows, half, SCHEMA, key=lambda row: sys.exit("in key") if row.id == 1 else row.id)
        self.assertEqual(made.count(), 994)
        self.counted(**{"in": 1000, "out": 994, "dropped": 6})
        report = andiron.report(self.spark)
        for text in ("SystemExit", "Panic: at once", "not shown: SystemExit"):
            self.assertIn(text, report)

    def test_a_keyboard_interrupt_ends_the_task(self):
        def stop(row):
            if row.id == 5:
                raise KeyboardInterrupt("of the user's")
            return row.id, 0.0, None

        # With one row: a step that drops all of its rows also fails the job and names the error.
        with self.raises(Exception, "KeyboardInterrupt"):
            self.step.map(self.rows, stop, SCHEMA).count()

    def test_numbers_of_numpy_are_numbers(self):
        schema = "id long, half double, ok boolean, f float, all array<int>, by map<string,long>, s struct<x: long, y: array<double>>, name string"

        def made(row):
            import numpy as np

            values = [np.int64(row.id), np.float64(row.id / 2), np.bool_(row.id % 2), np.float32(0.5), np.array([1, 2], "i4"), {"a": np.int32(7)}, (np.uint8(3), [np.float64(1), 2.0]), np.str_("n")]
            if row.id == 9:
                values[0] = np.uint64(1 << 63)
            if row.id == 8:
                values[0] = np.float64(1.0)
            shapes = [tuple(values), values, dict(zip(("id", "half", "ok", "f", "all", "by", "s", "name"), values)), Row(*values)]
            return shapes[row.id % 4]

        rows = self.step.map(self.rows.where("id < 10"), made, schema).orderBy("id").collect()
        self.assertEqual([tuple(row) for row in rows], [(i, i / 2, bool(i % 2), 0.5, [1, 2], {"a": 7}, Row(x=3, y=[1.0, 2.0]), "n") for i in range(8)])
        self.counted(**{"in": 10, "out": 8, "dropped": 2})
        with andiron.Step(self.spark, "numpy") as step:
            def even(row):
                import numpy as np

                return np.int64(row.id) % 2 == 0

            def twice(row):
                import numpy as np

                return np.array([row.id, row.id + 1]).reshape(2, 1).tolist() if row.id % 2 else [(value,) for value in np.arange(2)]

            self.assertEqual(step.filter(self.rows, even).count(), 500)
            self.assertEqual(step.flat_map(self.rows, twice, "x long").count(), 2000)
            self.assertEqual(step.figures["dropped"], 0)

    def test_limits_of_gates_are_numbers_of_numpy_too(self):
        import numpy as np

        gate = andiron.Gate(self.step, max_drop_ratio=np.float32(0.5), max_dropped=np.int64(7), min_rows=np.int32(1), min_out_ratio=np.float64(0), max_counters={"a": np.float64(0.5)})
        with andiron.guard(gate):
            self.assertEqual(self.step.count(self.rows).count(), 1000)

    def test_a_step_in_a_function_says_what_to_take_along(self):
        gate = andiron.Gate(self.step)
        for captured in (self.step, gate):
            with self.raises(Exception, "stays on the driver"):
                self.step.map(self.rows, lambda row: (row.id, float(bool(captured)), None), SCHEMA)
        with self.raises(Exception, "step.counter('hits')"):
            self.rows.rdd.map(lambda row: self.step.name).count()

    def test_filter_and_flat_map_and_count(self):
        kept = self.step.filter(self.rows, lambda row: row.s.x % 2 == 0 or row.s.x // (row.s.x - 9) < 0)
        self.assertEqual(kept.dtypes, self.rows.dtypes)
        self.assertEqual(sorted(row.id for row in kept.collect()), [i for i in range(1000) if i % 2 == 0 or i in (1, 3, 5, 7)])
        self.counted(**{"in": 1000, "out": 504, "dropped": 1})
        with andiron.Step(self.spark, "flat") as flat:
            made = flat.flat_map(self.rows, lambda row: ((x, "") for x in row.pair if 1 / (row.id - 5)), "x long, y string")
            self.assertEqual(sorted(row.x for row in made.collect()), sorted(x for i in range(1000) if i != 5 for x in (i, i + 1)))
            self.assertEqual((flat.figures["in"], flat.figures["out"], flat.figures["dropped"]), (1000, 1998, 1))
        with andiron.Step(self.spark, "counted") as counted:
            self.assertEqual(counted.count(self.rows).count(), 1000)
            self.assertEqual((counted.figures["in"], counted.figures["out"]), (1000, 1000))

    def test_a_row_counts_once_though_it_is_computed_again(self):
        made = self.step.map(self.rows, lambda row: (row.id, 1 / (row.id - 3), row.name), SCHEMA)
        made.orderBy("half").collect()
        made.repartition(3).groupBy("name").count().collect()
        self.counted(**{"in": 1000, "out": 999, "dropped": 1})

    def test_failed_rows_are_a_frame_and_have_groups(self):
        def look(row):
            if row.id % 100 == 7:
                raise LookupError(f"no {row.name}")
            return row.id, 0.0, row.name

        def group(row, error):
            return f"{type(error).__name__} {'early' if row.id < 300 else 'late'}"

        self.step.map(self.rows, look, SCHEMA, key=lambda row: f"row {row.id}", group=group).count()
        failures = self.step.failures
        self.assertEqual({row["group"]: row["count"] for row in failures.groupBy("group").count().collect()}, {"LookupError early": 3, "LookupError late": 7})
        row = failures.where("row_key = 'row 107'").first()
        self.assertEqual((row.step, row.app_id, row.committed, row["count"]), (self.name, self.spark.sparkContext.applicationId, True, 1))
        self.assertIn("no n107", row.message)
        self.assertIn("look", row.stack)
        self.assertEqual(andiron.failures(self.spark).where(f"step = '{self.name}'").count(), 10)
        andiron.report(self.spark)
        logs = f"{tempfile.gettempdir()}/andiron-log-{getpass.getuser()}"
        logged = andiron.failures(self.spark, logs, self.spark.sparkContext.applicationId)
        self.assertEqual(logged.where(f"step = '{self.name}'").count(), 10)
        for bad in (lambda: andiron.failures(self.spark, 7), lambda: andiron.failures(self.spark, application="a"),
                    lambda: self.step.filter(self.rows, len, group="id")):
            with self.assertRaises(andiron.ArgumentError):
                bad()

    def test_values_that_are_not_of_the_schema_are_dropped(self):
        made = self.step.map(self.rows, lambda row: ("text" if row.id < 10 else row.id, 1.0, row.name) if row.id != 11 else None, SCHEMA)
        self.assertEqual(made.count(), 989)
        self.counted(**{"in": 1000, "out": 989, "dropped": 11})

    def test_a_gate_keeps_what_was_there(self):
        path = str(self.folder / "table")
        self.rows.select("id").write.parquet(path)
        gate = andiron.Gate(self.step, max_drop_ratio=0.01)
        made = self.step.map(self.rows, lambda row: (row.id, 1 / (row.id % 50), row.name), SCHEMA)
        with self.raises(andiron.GateError, f"step '{self.name}' has dropped 20 of 1000 rows", "ZeroDivisionError"):
            with andiron.guard(gate):
                made.write.mode("overwrite").parquet(path)
        self.assertEqual(self.spark.read.parquet(path).columns, ["id"])

    def test_a_gate_sees_a_broadcast_below_an_rdd(self):
        gate = andiron.Gate(self.step, max_drop_ratio=0.01)
        self.step.map(self.rows, lambda row: (row.id, 1.0, row.name), SCHEMA).write.parquet(str(self.folder / "asked"))
        made = self.step.map(self.rows, lambda row: (row.id, 1 / (row.id % 50), row.name), SCHEMA)
        joined = self.rows.select("id").join(functions.broadcast(made), "id")
        with self.raises(Exception, f"step '{self.name}' has dropped 20 of 1000 rows"):
            self.spark.createDataFrame(joined.rdd, joined.schema).write.parquet(str(self.folder / "joined"))
        self.assertEqual(list((self.folder / "joined").glob("part-*")), [])
        self.assertEqual(gate.step, self.step)

    def test_guard_judges_what_has_no_commit(self):
        gate = andiron.Gate(self.step, max_drop_ratio=0.5)
        with andiron.guard(gate):
            self.step.map(self.rows, lambda row: (row.id, 1 / (row.id - 3), row.name), SCHEMA).collect()
        strict = andiron.Gate(self.step, max_drop_ratio=0, max_dropped=0)
        with self.assertRaises(andiron.GateError):
            with andiron.guard(gate, strict):
                self.step.map(self.rows, lambda row: (row.id, 1 / (row.id - 3), row.name), SCHEMA).collect()
        with self.assertRaises(RuntimeError):
            with andiron.guard(strict):
                raise RuntimeError("of the body's own")

    def test_misuse(self):
        bad = [
            lambda: andiron.Step(self.spark, ""), lambda: andiron.Step(self.spark, 1), lambda: andiron.Step(None, "a"), lambda: self.step.map(self.rows, None, SCHEMA),
            lambda: self.step.map(self.rows.rdd, len, SCHEMA), lambda: self.step.map(self.rows, len, 7), lambda: self.step.filter(self.rows, len, key="id"), lambda: self.step.map(self.rows, len, SCHEMA, redact="*"),
            lambda: self.step.counter("in"), lambda: self.step.counter(7), lambda: andiron.Gate("step"), lambda: andiron.Gate(self.step, max_drop_ratio=2),
            lambda: andiron.Gate(self.step, max_drop_ratio="0.1"), lambda: andiron.Gate(self.step, on_zero_rows="perhaps"), lambda: andiron.guard("gate")]
        for at, action in enumerate(bad):
            with self.assertRaises(andiron.ArgumentError, msg=str(at)):
                action()
        self.step.close()
        with self.raises(andiron.ReleasedError, f"step '{self.name}' is closed"):
            self.step.count(self.rows)


class Redaction(Application):
    """The log's events about failed rows, in a separate application, because a report shows the most frequent causes only."""

    def logged(self):
        """The events in the application's log so far."""
        andiron.report(self.spark)
        folder = pathlib.Path(tempfile.gettempdir(), f"andiron-log-{getpass.getuser()}", self.spark.sparkContext.applicationId)
        return "".join(file.read_bytes().decode("latin-1") for file in folder.glob("segment-*"))

    def test_describe_version_and_redact(self):
        rows = self.spark.range(1, 4, 1, 1).selectExpr("id", "concat('+1555000', id) as phone")

        def look(row):
            if row.id > 2:
                return (row.id, 1.0, row.phone)
            raise LookupError(f"no member has {row.phone}")

        shown = {"describe": lambda row: f"row of {row.phone}", "version": lambda row: f"v{row.id}"}
        with andiron.Step(self.spark, "as it is") as step:
            self.assertEqual(step.map(rows, look, SCHEMA, key=lambda row: row.phone, **shown).count(), 1)
        log = self.logged()
        for text in ("row of +15550001", '"version":"v2"', "no member has +15550001", f'"key_hash":"{unkeyed("", "+15550001")}"'):
            self.assertIn(text, log)
        hide = {"redact": lambda text: re.sub(r"\+?\d{4,}", "PHONE", text)}
        rows = self.spark.range(1, 4, 1, 1).selectExpr("id", "concat('+7777000', id) as phone")
        operators = {
            "map": lambda step, **more: step.map(rows, look, SCHEMA, **hide, **shown, **more),
            "flat_map": lambda step, **more: step.flat_map(rows, lambda row: [look(row)], SCHEMA, **hide, **shown, **more),
            "filter": lambda step, **more: step.filter(rows, lambda row: bool(look(row)), **hide, **shown, **more)}
        phones = [row.phone for row in rows.collect()]
        for name, apply in operators.items():
            for more in ({}, {"key": lambda row: row.phone}):
                with andiron.Step(self.spark, f"hidden {name} {len(more)}") as step:
                    self.assertEqual(len(apply(step, **more).collect()), 1)
                    self.assertEqual(step.figures["dropped"], 2)
        log = self.logged()
        for text in ("row of PHONE", "LookupError: no member has PHONE", "at test_steps.look(test_steps.py:"):
            self.assertIn(text, log)
        places = set(re.findall(r'"site":"([^"]*)"', log)) | {""}
        for phone in phones[:2]:
            self.assertNotIn(phone, log)
            for place in places:
                for text in (phone, f"row of {phone}"):
                    self.assertNotIn(str(unkeyed(place, text)), log)

    def test_redact_sees_whole_texts_and_may_fail(self):
        rows = self.spark.range(0, 40, 1, 2)

        def long(row):
            if row.id == 0:
                return (0, 0.0, None)
            raise ValueError("m" * (480 + row.id) + "SECRET", "s" * (65500 + row.id) + "SECRET")

        def hide(text):
            return text.replace("SECRET", "*") if "SECRET" in text else 1 // 0

        with andiron.Step(self.spark, "long texts") as step:
            made = step.map(rows, long, SCHEMA, key=lambda row: "k" * (170 + row.id) + "SECRET", describe=lambda row: "t" * (2020 + row.id), redact=hide)
            self.assertEqual(made.count(), 1)
            self.assertEqual(step.figures["dropped"], 39)
        log = self.logged()
        self.assertIn("kkk", log)
        self.assertIn("(not shown: ZeroDivisionError)", log)
        for part in ("kkkS", "mmmS", "sssS", "SECR", "ttt"):
            self.assertNotIn(part, log)


class Connect(Application):
    """Each call over Spark Connect raises an error that names the limit. The module of the session identifies a client, without a server."""

    def test_says_what_does_not_work(self):
        client = type("SparkSession", (), {"__module__": "pyspark.sql.connect.session"})()
        rows = type("DataFrame", (), {"__module__": "pyspark.sql.connect.dataframe"})()
        with andiron.Step(self.spark, "connect") as step:
            for action in (lambda: andiron.catalog(client, "a", {"v1": "file:/x"}), lambda: andiron.Step(client, "a"), lambda: andiron.report(client),
                           lambda: andiron.cache_stats(client), lambda: step.count(rows), lambda: step.map(rows, len, SCHEMA)):
                with self.raises(andiron.ConnectError, "Spark Connect"):
                    action()


class Start(Application):
    def test_importing_is_cheap(self):
        """The package imports only the standard library and, in a worker, modules that PySpark has already imported."""
        script = "import sys, andiron; print([name for name in ('numpy', 'pandas', 'pyarrow', 'pyspark') if name in sys.modules])"
        told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=dict(os.environ))
        self.assertEqual(json.loads(told.stdout.replace("'", '"')), [])
