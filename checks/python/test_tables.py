import datetime
import pickle
from decimal import Decimal

from pyspark.sql import functions as F
from pyspark.sql.types import (
    BinaryType, BooleanType, DateType, DecimalType, DoubleType, FloatType, LongType, ShortType, StringType, TimestampNTZType, TimestampType)

import andiron
from support import Application

UTC = datetime.timezone.utc
BROWSERS = "path string, browser string, version_added int"
MONDAY = [("api.AbortController", "firefox", 57), ("api.AbortController", "chrome", 66), ("api.Blob", "firefox", 4)]
TUESDAY = [("api.AbortController", "firefox", 58), ("api.AbortController", "chrome", 66), ("css.grid", "firefox", 52)]


class Tables(Application):
    """A table is published and read on the driver, with PySpark's types."""

    def table_of(self):
        return andiron.table(self.spark, (self.folder / self.check).as_uri())

    def features(self):
        table = self.table_of()
        table.publish(self.spark.createDataFrame(MONDAY, BROWSERS), "2026-06-01", key=["path", "browser"])
        table.publish(self.spark.createDataFrame(TUESDAY, BROWSERS), "2026-06-02", valid_from=datetime.datetime(2026, 6, 2, tzinfo=UTC))
        return table

    def test_versions_are_published_and_read(self):
        table = self.features()
        self.assertEqual((table.versions, table.key), (("2026-06-01", "2026-06-02"), ("path", "browser")))
        self.assertEqual(table.schema.fieldNames(), ["path", "browser", "version_added"])
        for version, rows in (("2026-06-01", MONDAY), ("2026-06-02", TUESDAY)):
            for path, browser, added in rows:
                self.assertEqual(table.get(version, (path, browser)).asDict(), {"path": path, "browser": browser, "version_added": added})
            self.assertEqual(sorted(map(tuple, table.read(version).collect())), sorted(rows))
        self.assertIsNone(table.get("2026-06-02", ("api.Blob", "firefox")))
        self.assertIsNone(table.get("2026-06-01", ("api.Blob", None)))
        self.assertIn("2026-06-01", table)
        self.assertNotIn("2026-06-03", table)
        again = self.table_of()
        self.assertEqual(again.versions, table.versions)
        self.assertEqual(repr(again), f"Table({again.uri!r}, 2 versions)")

    def test_another_object_is_refreshed(self):
        other = self.table_of()
        self.assertEqual(other.versions, ())
        self.features()
        self.assertEqual(other.versions, ())
        other.refresh()
        self.assertEqual(len(other.versions), 2)

    def test_rows_are_looked_up(self):
        table = self.features()
        events = [("2026-06-01", "api.AbortController", "firefox"), ("2026-06-02", "api.AbortController", "firefox"), ("2026-06-02", "api.Blob", "firefox"),
                  (None, "api.Blob", "firefox")]
        rows = self.spark.createDataFrame(events, "day string, path string, browser string")
        found = andiron.lookup(rows, table, on=["path", "browser"], version="day", select=["version_added"])
        self.assertEqual([row.version_added for row in found.collect()], [57, 58, None, None])
        renamed = rows.withColumnRenamed("path", "url").withColumn("day", F.lit("2026-06-03"))
        on = {"url": "path", "browser": "browser"}
        self.assertEqual([row.version_added for row in andiron.lookup(renamed, table, on, F.col("day"), missing="null").collect()], [None] * 4)
        self.assertEqual(andiron.lookup(renamed, table, on, "day", missing="skip").count(), 0)
        with self.assertRaises(Exception) as caught:
            andiron.lookup(renamed, table, on, "day").collect()
        self.assertIn("has no version '2026-06-03'", str(caught.exception))
        timed = rows.withColumn("at", F.expr("timestamp '2026-06-02 12:00:00' - make_interval(0, 0, 0, int(day is null))"))
        self.assertEqual([row.version_added for row in andiron.lookup(timed, table, ["path", "browser"], as_of="at").collect()], [58, 58, None, None])
        with andiron.Step(self.spark, "lookup") as step:
            kept = step.lookup(rows, table, ["path", "browser"], "day").collect()
            self.assertEqual([(row.day, row.version_added) for row in kept], [("2026-06-01", 57), ("2026-06-02", 58)])
            self.assertEqual((step.figures["in"], step.figures["out"], step.figures["dropped"]), (4, 2, 2))
        for call in (lambda: andiron.lookup(rows, table, "path"), lambda: andiron.lookup(rows, None, "path", "day"), lambda: andiron.lookup(rows, table, "path", 3),
                     lambda: andiron.lookup(rows, table, None, "day"), lambda: andiron.lookup(rows, table, [F.col("path")], "day"),
                     lambda: andiron.lookup(rows, table, ["path"], "day"), lambda: andiron.lookup(rows, table, ["path", "browser"], "day", missing="drop")):
            with self.assertRaises(andiron.ArgumentError):
                call()

    def test_keys_of_every_type(self):
        values = [
            (BooleanType(), True), (ShortType(), -7), (LongType(), 1 << 40), (FloatType(), 1.5), (DoubleType(), -0.25), (StringType(), "ü"), (BinaryType(), b"\0\xff"),
            (DateType(), datetime.date(1969, 12, 31)), (TimestampType(), datetime.datetime(1969, 12, 31, 23, 59, 59, 999999)),
            (TimestampNTZType(), datetime.datetime(2026, 6, 1, 12, 0, 0, 1)), (DecimalType(10, 2), Decimal("12.50")), (DecimalType(38, 0), Decimal(10) ** 37)]
        for number, (of, value) in enumerate(values):
            with self.subTest(of.simpleString()):
                rows = self.spark.createDataFrame([(value, 1)], f"k {of.simpleString()}, v int")
                table = andiron.table(self.spark, f"{self.folder}/{self.check}-{number}")
                table.publish(rows, "v1", key="k")
                found = table.get("v1", value)
                self.assertEqual((bytes(found.k) if isinstance(value, bytes) else found.k, found.v), (value, 1))

    def test_refusals_name_the_cause(self):
        table = self.table_of()
        rows = self.spark.createDataFrame([(1, 1), (1, 2)], "id int, v int")
        with self.raises(andiron.UnknownVersionError, table.uri):
            table.schema
        with self.raises(andiron.TableError, "1 key occurs more than once: 1") as caught:
            table.publish(rows, "v1", key="id")
        self.assertEqual(caught.exception.code, 504)
        with self.raises(andiron.TableError, "id"):
            table.publish(rows.withColumn("id", F.lit(None).cast("int")), "v1", key="id")
        self.assertEqual(self.table_of().versions, ())
        table.publish(rows.limit(1), "v1", key="id")
        with self.raises(andiron.TableError, "v1") as caught:
            table.publish(rows.limit(1), "v1")
        self.assertEqual(caught.exception.code, 507)
        for call in (lambda: table.publish(rows, 2), lambda: table.publish(None, "v2"), lambda: table.publish(rows, "v2", valid_from="today"),
                     lambda: table.publish(rows, "v2", shards=-1), lambda: table.get("v1", (1, 2)), lambda: table.get(1, 1), lambda: pickle.dumps(table),
                     lambda: andiron.table(self.spark, ""), lambda: andiron.table(None, "x")):
            with self.assertRaises(andiron.ArgumentError):
                call()
        with self.assertRaises(andiron.UnknownVersionError):
            table.get("v9", 1)
