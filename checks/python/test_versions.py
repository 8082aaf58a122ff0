import datetime
import os
import pathlib
import pickle
import tempfile
import unittest
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa

import andiron
from support import Application, outcome, records

VALUE = records(1, 100, 100)
NAMES = ["a b", "a%20b", "c#d", "e?f", "ü", "日本", "g&h=i", "j+k", "[l]", "m;n", "o%p", "dt=2020-01-01 00%3A00"]


class Sources(Application):
    """Every Python notation of a file is accepted, or the error names the remedy."""

    def folder_of(self):
        return pathlib.Path(tempfile.mkdtemp(dir=self.folder))

    def read(self, catalog):
        def look(catalog):
            cursor = catalog.cursor()
            for name in sorted(catalog.versions):
                yield name, bytes(cursor.advance(name))

        self.addCleanup(catalog.close)
        return dict(self.in_worker(look, catalog))

    def test_paths_whose_names_a_uri_escapes(self):
        folder = self.folder_of()
        for name in NAMES:
            (folder / name).write_bytes(name.encode())
        expected = {name: name.encode() for name in NAMES}
        self.assertEqual(self.read(andiron.catalog(self.spark, "paths", {name: folder / name for name in NAMES})), expected)
        versions = [andiron.Version(name, folder / name, bytes=np.int64(len(name.encode()))) for name in NAMES]
        self.assertEqual(self.read(andiron.catalog(self.spark, "versions", versions)), expected)
        with os.scandir(folder) as entries:
            self.assertEqual(self.read(andiron.catalog(self.spark, "entries", {entry.name: entry for entry in entries})), expected)
        self.assertEqual(self.read(andiron.catalog(self.spark, "texts", {name: str(folder / name) for name in NAMES})), expected)

    def test_a_uri_of_sparks_says_what_the_file_is_called(self):
        folder = self.folder_of()
        self.spark.range(1).selectExpr("'x'").coalesce(1).write.text(str(folder / "a b"))
        rows = self.spark.read.text(str(folder / "a b"))
        found, = rows.inputFiles()
        self.assertIn("a%20b", found)
        with self.raises(andiron.SourceError, "is there: the source is a URI whose characters are escaped", f"{folder}/a b/part-"):
            andiron.catalog(self.spark, "uris", {"v1": found})
        with self.assertRaises(andiron.SourceError) as caught:
            andiron.catalog(self.spark, "uris", {"v1": (folder / "no b").as_uri()})
        self.assertNotIn("is there", str(caught.exception))

    def test_names_that_are_no_text(self):
        folder, file = self.folder_of(), self.source("v1", VALUE)
        (folder / os.fsdecode(b"\xff")).write_bytes(VALUE)
        for bad in ({"v1": folder / os.fsdecode(b"\xff")}, {"v1": "file:/\udcff"}, {"\ud800": file}, {"v" * 70_000: file}, {"\x01" * 11_000: file}):
            with self.raises(andiron.ArgumentError, "of dataset 'bad'") as caught:
                andiron.catalog(self.spark, "bad", bad)
            str(caught.exception).encode()
        with self.assertRaises(andiron.ArgumentError):
            andiron.catalog(self.spark, "\ud800", {"v1": file})
        long = "é" * 9_000
        self.assertEqual(self.read(andiron.catalog(self.spark, "long", {long: file})), {long: VALUE})

    def test_a_name_is_a_str(self):
        for name in (1, datetime.date(2020, 6, 1), 1.0, b"v1", None):
            with self.raises(andiron.ArgumentError, f"must be a str, not {type(name).__name__}"):
                andiron.catalog(self.spark, "named", {name: self.source("v1", VALUE)})


class Names(Application):
    """A version's name is Spark's cast of its value to string, for every type of the column in pandas and Arrow."""

    def named(self, *names):
        return self.catalog_of({name: name.encode() for name in names})

    def told(self, catalog, *versions):
        def run(catalog):
            cursor = catalog.cursor()
            for version in versions:
                known = "ambiguous"
                try:
                    known = cursor.contains(version)
                    yield known, bytes(cursor.advance(version)).decode()
                except andiron.AndironError as error:
                    yield known, f"{type(error).__name__} {error}"

        return self.in_worker(run, catalog)

    def test_what_sparks_cast_takes(self):
        catalog = self.named("1", "2020-06-01", "1.5", "true", "v1", "7.0", "-3", "2.50")
        day = datetime.date(2020, 6, 1)
        cases = [
            (1, "1"), (1.0, "1"), (np.int64(1), "1"), (np.uint8(1), "1"), (np.float64(1), "1"), (np.float32(1), "1"), (-3, "-3"), (-3.0, "-3"), (7.0, "7.0"), (1.5, "1.5"),
            (np.float32(1.5), "1.5"), (True, "true"), (np.bool_(True), "true"), (Decimal("2.50"), "2.50"), (day, "2020-06-01"), (np.datetime64("2020-06-01"), "2020-06-01"),
            (np.str_("v1"), "v1"), (("v1",), "v1"), ((1,), "1"), ((1.0,), "1"), ((day,), "2020-06-01"), (pa.scalar("v1"), "v1"), (pa.scalar(1), "1"), (pa.scalar(day), "2020-06-01"),
            (pa.scalar("v1").cast(pa.large_string()), "v1"), (pa.array(["v1"]).dictionary_encode()[0], "v1")]
        self.assertEqual(self.told(catalog, *(version for version, _ in cases)), [(True, name) for _, name in cases])
        catalog.demand({1: np.int64(2), day: 3})
        catalog.demand(pd.Series({"1": 2, "v1": 1}))

    def test_what_no_cast_makes_a_name_of(self):
        catalog = self.named("1", "1.0", "9007199254740993", "1e+20")
        kinds = [(known, text.split(" ")[0]) for known, text in self.told(
            catalog, 1.0, 2, 9007199254740992.0, 1e20, datetime.datetime(2020, 6, 1), pd.Timestamp("2020-06-01"), b"1", ("1", "1"), [], {}, pa.scalar(None, pa.string()), np.datetime64("NaT"),
            np.float32("nan"), (None,), (float("nan"),), "\ud800", "v" * 100_000)]
        self.assertEqual(kinds, [("ambiguous", "ArgumentError"), (False, "UnknownVersionError"), *[(False, "ArgumentError")] * 8, *[(False, "UnknownVersionError")] * 7])
        self.assertTrue(all(len(text) < 1000 and text.encode() for _, text in self.told(catalog, "\ud800", "v" * 100_000)))
        self.assertIn("col.cast('string')", self.told(catalog, 1.0)[0][1])

    def test_nullable_columns_and_keys_of_groups(self):
        catalog = self.named("1", "2", "10")

        def read(batches):
            with catalog.cursor() as cursor:
                for batch in batches:
                    for key, rows in batch[batch["version"].notna()].groupby(["version"]):
                        yield rows.assign(found=bytes(cursor.advance(key)).decode())[["id", "found"]]

        rows = self.spark.createDataFrame([(1, 1), (2, None), (3, 2), (4, 10)], "id long, version int").coalesce(1)
        self.assertEqual(sorted(map(tuple, rows.mapInPandas(read, "id long, found string").collect())), [(1, "1"), (3, "2"), (4, "10")])


class Batches(Application):
    """The rows of a batch by version, and rows without a version."""

    def setUp(self):
        self.catalog_of({name: name.encode() for name in ("1", "2", "10")})
        self.rows = self.spark.createDataFrame([(i, (1, 2, 10, None, 99)[i % 5]) for i in range(100)], "id long, version int")
        self.truth = {i: str((1, 2, 10)[i % 5]) for i in range(100) if i % 5 < 3}

    def read(self, catalog, rows, arrow=False):
        def pandas(batches):
            with catalog.cursor() as cursor:
                for batch in batches:
                    for value, part in cursor.by_version(batch, "version"):
                        yield part.assign(found=bytes(value).decode())[["id", "found"]]

        def arrows(batches):
            cursor = catalog.cursor()
            for batch in batches:
                for value, part in cursor.by_version(batch, "version"):
                    found = pa.array([bytes(value).decode()] * len(part))
                    yield pa.RecordBatch.from_arrays([part.column("id"), found], ["id", "found"])

        made = rows.mapInArrow(arrows, "id long, found string") if arrow else rows.mapInPandas(pandas, "id long, found string")
        return {row.id: row.found for row in made.collect()}

    def test_skipped_rows_are_counted(self):
        for arrow in (False, True):
            skipping = self.catalog.missing("skip")
            self.assertEqual(self.read(skipping, self.rows.coalesce(2), arrow), self.truth)
            self.assertEqual((skipping.skipped_rows, self.catalog.skipped_rows), (40, 0))

    def test_rows_without_a_known_version_fail(self):
        for rows, said in ((self.rows.where("version is null or version < 50"), "names no version"), (self.rows.where("version is not null"), "has no version '99'")):
            for arrow in (False, True):
                with self.assertRaisesRegex(Exception, f"UnknownVersionError: .*{said}.*missing\\('skip'\\)"):
                    self.read(self.catalog.missing("fail"), rows.coalesce(1), arrow)

    def test_misuse(self):
        for policy in (None, "drop", True):
            with self.assertRaises(andiron.ArgumentError):
                self.catalog.missing(policy)
        def run(catalog):
            cursor = catalog.cursor()
            for batch, column in (([], "version"), (pd.DataFrame({"a": [1]}), "version"), (pa.table({"a": [1]}), "version"), (pd.Series([1]), "version"), (pa.array([1]), "a")):
                yield outcome(lambda batch, column: list(cursor.by_version(batch, column)), batch, column)
            yield [bytes(value) for batch in (pd.DataFrame({"v": []}), pa.table({"v": pa.array([], pa.int32())})) for value, _ in cursor.by_version(batch, "v")]
            table = pa.table({"v": pa.chunked_array([pa.array(["1", "2"]).dictionary_encode(), pa.array(["2", "10"]).dictionary_encode()])})
            yield [(bytes(value), len(part)) for value, part in cursor.by_version(table, "v")]

        *bad, empty, chunks = self.in_worker(run)
        self.assertTrue(all(kind == "ArgumentError" and f"dataset '{self.check}'" in text for kind, text, _ in bad), bad)
        self.assertEqual((empty, chunks), ([], [(b"1", 1), (b"2", 2), (b"10", 1)]))

    def test_versions_that_come_back_are_warned_of_once(self):
        def run(catalog):
            import warnings

            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                for name in ("1", "2", "10"):
                    catalog.cursor().advance(name)
                said = lambda: [str(warning.message) for warning in caught if "sorted by version" in str(warning.message)]
                sorted_rows = len(said())
                for _ in range(3):
                    list(catalog.cursor().by_version(pd.DataFrame({"v": [1, 2, 1, 10, 2]}), "v"))
                grouped = len(said())
                for _ in range(3):
                    cursor = catalog.cursor()
                    for name in (1, 2, 2, 1, 2):
                        cursor.advance(name)
                yield sorted_rows, grouped, said()

        (ordered, grouped, said), = self.in_worker(run)
        self.assertEqual((ordered, grouped, len(said)), (0, 0, 1), said)
        self.assertRegex(said[0], f"holds several versions of dataset '{self.check}'.*sortWithinPartitions")

    def test_a_skipping_catalog_is_small_in_a_closure(self):
        self.assertLess(len(pickle.dumps(self.catalog.missing("skip"))), 800)


class Files(Application):
    """A version's bytes for libraries that take a file or bytes."""

    def test_as_a_file_and_as_bytes(self):
        content = b"one\ntwo\n" + VALUE
        self.catalog_of({"v1": content, "none": b"", "list": pickle.dumps([1, 2])}, "files")

        def run(catalog):
            import io

            cursor = catalog.cursor()
            value = cursor.advance("v1")
            file = value.open()
            yield bytes(value), value.read(), value[:], file.read(), file.read(), file.read(1), file.tell()
            yield value[2:10], value[-3:], value[::7], bytes([value[0], value[-1]]), bytes(value[np.int64(1)] for _ in range(2)), bytes(list(value)[:5])
            yield file.seek(4), file.read(3), file.seek(-2, 2), file.read(9), file.seek(0), file.readline(), file.readline(2), file.seek(4, 0), file.readlines(3), file.seek(1 << 40), file.read()
            yield file.readable(), file.seekable(), file.writable(), io.TextIOWrapper(io.BufferedReader(value.open()), "latin-1").readline()
            found = bytearray(5)
            yield value.open().readinto(found), bytes(found), pa.PythonFile(value.open()).read(3), len(pa.input_stream(value.open()).read())
            for action in (lambda: value.read(4), lambda: value.read(length=4), lambda: value[len(value)], lambda: value["a"], lambda: file.seek(-1), lambda: file.seek(0, 9)):
                yield outcome(action)[0]
            yield pickle.load(cursor.advance("list").open())
            empty = cursor.advance("none")
            yield bytes(empty), empty[:], empty.open().read(), empty.open().readline(), list(empty)
            with empty.open() as closed:
                pass
            try:
                closed.read()
            except ValueError as error:
                yield str(error)
            for action in (lambda: file.read(1), lambda: file.readline(), lambda: file.seek(0), lambda: bytes(value), lambda: value[0]):
                yield outcome(action)

        found = self.in_worker(run)
        (whole, slices, seeks, text, into), bad, (listed, empty, closed), released = found[:5], found[5:11], found[11:14], found[14:]
        self.assertEqual(whole, (content, content, content, content, b"", b"", len(content)))
        self.assertEqual(slices, (content[2:10], content[-3:], content[::7], bytes([content[0], content[-1]]), content[1:2] * 2, content[:5]))
        self.assertEqual(seeks, (4, b"two", len(content) - 2, content[-2:], 0, b"one\n", b"tw", 4, [b"two\n"], 1 << 40, b""))
        self.assertEqual(text, (True, True, False, "one\n"))
        self.assertEqual(into, (5, content[:5], content[:3], len(content)))
        self.assertEqual(bad, ["ArgumentError", "ArgumentError", "OutOfBoundsError", "ArgumentError", "ArgumentError", "ArgumentError"])
        self.assertEqual((listed, empty, closed), ([1, 2], (b"", b"", b"", b"", []), "I/O operation on closed file."))
        self.assertEqual([(kind, "was released" in text) for kind, text, _ in released], [("ReleasedError", True)] * 5, released)
        self.nothing_leased()


class Plain(unittest.TestCase):
    def test_what_has_no_numpy_is_not_copied(self):
        from pyspark.sql.types import LongType, StringType, StructType

        from andiron._plain import plain

        convert = plain(StructType().add("a", LongType()).add("b", StringType()))
        row = (1, "x")
        self.assertIs(convert(row), row)
        self.assertEqual(convert((np.int64(1), np.str_("x"))), (1, "x"))
