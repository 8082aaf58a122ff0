import datetime
import os
import sys
import unittest
from pathlib import Path

import andiron
from support import Application, eventually, outcome, records

VALUE = records(1, 100, 100)
BAD_ARGUMENT, UNKNOWN, NULL, RELEASED, CLOSED = 403, 100, 101, 114, 113


class Misuse(Application):
    """Every misuse in a function raises an exception that names dataset and version, and the worker continues."""

    def setUp(self):
        self.catalog_of({"v1": VALUE, "v2": VALUE[:10], "none": b""}, "planes")

    def told(self, *actions):
        """The result or the exception of each action; all actions run in one task and one worker process."""
        def run(catalog):
            cursor = catalog.cursor()
            for action in actions:
                yield os.getpid(), outcome(action, cursor)

        found = self.in_worker(run)
        self.assertEqual(len({pid for pid, _ in found}), 1)
        self.nothing_leased()
        return [told for _, told in found]

    def test_bad_versions(self):
        known = "it has 3: none, v1, v2"
        self.assertEqual([(kind, code) for kind, _, code in self.told(
            lambda c: c.advance("v9"), lambda c: c.advance(None), lambda c: c.advance(1), lambda c: c.advance(b"v1"), lambda c: c.advance(["v1"]),
            lambda c: c.advance(("v1", "v2")), lambda c: c.advance(datetime.datetime(2020, 6, 1)))],
            [("UnknownVersionError", UNKNOWN), ("UnknownVersionError", NULL), ("UnknownVersionError", UNKNOWN), *[("ArgumentError", BAD_ARGUMENT)] * 4])
        (_, message, _), = self.told(lambda c: c.advance(datetime.datetime(2020, 6, 1)))
        self.assertIn("must be a str", message)
        self.assertIn("col.cast('string')", message)
        (_, message, _), = self.told(lambda c: c.advance("v9"))
        self.assertIn("dataset 'planes' has no version 'v9'", message)
        self.assertIn(known, message)
        self.assertEqual(self.told(lambda c: (c.contains("v1"), c.contains("v9"), c.contains(None), c.contains([])))[0][1], "(True, False, False, False)")

    def test_a_null_of_pandas_is_no_version(self):
        import numpy as np
        import pandas as pd

        nulls = [None, float("nan"), np.float64("nan"), pd.NA, pd.NaT]
        for before in ((), (lambda c: c.advance("v1"),)):
            found = self.told(*before, *(lambda c, null=null: c.advance(null) for null in nulls))[len(before):]
            self.assertEqual([(kind, code) for kind, _, code in found], [("UnknownVersionError", NULL)] * len(nulls), found)
            self.assertTrue(all("names no version of dataset 'planes'" in message for _, message, _ in found), found)
        self.assertEqual(self.told(lambda c: [c.contains(null) for null in nulls])[0][1], repr([False] * len(nulls)))
        (kind, _, code), = self.told(lambda c: c.advance("v1") and c.advance(np.array(["v1", "v2"])))
        self.assertEqual((kind, code), ("ArgumentError", BAD_ARGUMENT))

    def test_a_row_without_a_version_fails_the_job(self):
        catalog = self.catalog

        def read(batches):
            with catalog.cursor() as cursor:
                for batch in batches:
                    for version, rows in batch.groupby("version", dropna=False):
                        yield rows.assign(at=len(cursor.advance(version)))[["id", "at"]]

        rows = self.spark.createDataFrame([(1, "v1"), (2, None), (3, "v2")], "id long, version string").coalesce(1).sortWithinPartitions("version")
        with self.assertRaisesRegex(Exception, "UnknownVersionError: .*a row names no version of dataset 'planes'"):
            rows.mapInPandas(read, "id long, at long").collect()
        named = rows.where("version is not null").mapInPandas(read, "id long, at long").collect()
        self.assertEqual(sorted(map(tuple, named)), [(1, 10000), (3, 10)])

    def test_reads_outside(self):
        outside = [
            lambda c: c.lookup("v1", 10000, 1), lambda c: c.lookup("v1", -1, 1), lambda c: c.lookup("v1", 0, 10001), lambda c: c.lookup("v1", 0, -1),
            lambda c: c.lookup("v1", 1 << 70, 1), lambda c: c.lookup("v1", 1, 1 << 70), lambda c: c.records("v1", [0, 9901], 100),
            lambda c: c.records("v1", [-1], 1), lambda c: c.records("v2", [0], 11), lambda c: c.advance("v1").numpy("u1", 10001),
            lambda c: c.advance("v1").numpy("<i8", 0, 1251), lambda c: c.advance("v1").numpy("u1", 10001, 0), lambda c: c.lookup("none", 0, 1), lambda c: c.records("none", [0], 1)]
        for kind, message, code in self.told(*outside):
            self.assertEqual((kind, code), ("OutOfBoundsError", BAD_ARGUMENT), message)
            self.assertRegex(message, r"^version '(v1|v2|none)' of dataset 'planes': -?\d+ bytes at -?\d+ are not within its (10000|10|0)$")
        inside = self.told(lambda c: c.lookup("v1", 10000, 0), lambda c: len(c.advance("none")), lambda c: c.advance("none").numpy().size, lambda c: c.records("v2", [0], 10).size)
        self.assertEqual([what for _, what, _ in inside], ["b''", "0", "0", "1"])

    def test_bad_arguments(self):
        bad = [
            lambda c: c.lookup("v1", 1.5, 1), lambda c: c.lookup("v1", "0", 1), lambda c: c.lookup("v1", None, 1), lambda c: c.lookup("v1", 0, True),
            lambda c: c.records("v1", [0.5], 1), lambda c: c.records("v1", [[0]], 1), lambda c: c.records("v1", ["a"], 1), lambda c: c.records("v1", [True], 1),
            lambda c: c.records("v1", [0], object), lambda c: c.records("v1", [0], "no dtype"), lambda c: c.records("v1", [0], 0),
            lambda c: c.records("v1", [0], "(2147483648,)f4"), lambda c: c.records("v1", [0], {"a": "f4"}), lambda c: c.records("v1", [0], "(1,f4"),
            lambda c: c.records("v1", [[0], [1, 2]], 1), lambda c: c.records("v1", [0], 1 << 70), lambda c: c.advance("v1").numpy("(2147483648,)f4"),
            lambda c: c.advance("v1").numpy("<i8", 1), lambda c: c.advance("v1").numpy("<i8", 0, 1.0), lambda c: c.advance("v1").arrow_records([0], "100")]
        for kind, message, code in self.told(*bad):
            self.assertEqual((kind, code), ("ArgumentError", BAD_ARGUMENT), message)
            self.assertIn("version 'v1' of dataset 'planes': ", message)

    def test_after_close_and_release(self):
        def closed(cursor):
            value = cursor.advance("v1")
            cursor.close()
            cursor.close()
            return value.read(0, 1)

        def moved(cursor):
            cursor.advance("v2")

        def released(cursor):
            with catalog.cursor() as another:
                value = another.advance("v1")
                another.release()
                another.release()
                return another.advance("v2").read(0, 1) and value.numpy()

        catalog = self.catalog
        for kind, message, code in self.told(released, closed, moved):
            self.assertEqual((kind, code), ("ReleasedError", RELEASED), message)
            self.assertIn("dataset 'planes'", message)

    def test_a_cursor_of_another_task(self):
        catalog = self.catalog

        # Spark reuses a worker only if its task has read the input to the end.
        def keep(rows):
            list(rows)
            sys.modules["andiron"].kept = catalog.cursor(), catalog.cursor().advance("v1")
            sys.modules["andiron"].kept[0].advance("v1")
            yield os.getpid()

        def use(rows):
            list(rows)
            if not hasattr(sys.modules["andiron"], "kept"):
                return
            cursor, value = sys.modules["andiron"].kept
            for action in (lambda: cursor.advance("v1"), lambda: cursor.advance("v2"), lambda: value.read(0, 1), lambda: cursor.release()):
                yield os.getpid(), outcome(action)

        one = self.spark.sparkContext.parallelize([0], 1)
        pid, = one.mapPartitions(keep).collect()
        self.nothing_leased()
        found = []
        eventually(lambda: "the worker was not used again", lambda: bool(found.extend(one.mapPartitions(use).collect()) or found))
        self.assertEqual({other for other, _ in found}, {pid}, "Spark reuses its workers")
        self.assertTrue(all(kind == "ReleasedError" and "dataset 'planes'" in text for _, (kind, text, _) in found[:3]), found)

    def test_on_the_driver(self):
        with self.raises(andiron.ReleasedError, "works in a task only"):
            self.catalog.cursor()
        for bad in ({}, {"v1": 1}, {1: "file:/x"}, ["v1"], 7, [andiron.Version("v1", "file:/x", bytes="9")]):
            with self.subTest(bad), self.raises(andiron.ArgumentError, "dataset 'bad'"):
                andiron.catalog(self.spark, "bad", bad)
        with self.raises(andiron.SourceError, "version 'v1' of dataset 'bad'"):
            andiron.catalog(self.spark, "bad", {"v1": (self.folder / "missing").as_uri()})
        with self.assertRaises(andiron.ArgumentError):
            andiron.catalog("spark", "bad", {"v1": "file:/x"})
        with self.assertRaises(andiron.ArgumentError):
            self.catalog.demand({"v9": 1})
        self.catalog.demand({"v1": 2})

    def test_in_a_worker(self):
        (kind, message, _), = self.in_worker(lambda catalog: [outcome(catalog.close)])
        self.assertEqual(kind, "ReleasedError")
        self.assertIn("call it on the driver", message)

    def test_a_closed_catalog(self):
        closed = self.catalog_of({"v1": VALUE}, "closed")
        self.told(lambda c: c.advance("v1"))
        closed.close()
        closed.close()

        (kind, message, code), = self.in_worker(lambda catalog: [outcome(lambda: catalog.cursor().advance("v1"))])
        self.assertEqual((kind, code), ("ReleasedError", CLOSED), message)
        self.assertIn("dataset 'closed'", message)

    def test_a_source_that_changed_and_one_that_is_not_what_it_should_be(self):
        changing, wrong = self.folder / "changing", self.source("wrong", VALUE)
        changing.write_bytes(VALUE)
        self.catalog = andiron.catalog(self.spark, "odd", [
            andiron.Version("changed", changing.as_uri()), andiron.Version("wrong", wrong, bytes=len(VALUE), checksum="crc32:00000000")])
        changing.write_bytes(VALUE + VALUE)
        found = self.told(lambda c: c.advance("changed"), lambda c: c.advance("wrong"))
        self.assertEqual([(kind, code) for kind, _, code in found], [("SourceError", 104), ("SourceError", 106)], found)
        self.assertTrue(all("odd" in message and "file:" in message for _, message, _ in found), found)
        self.catalog.close()

    def test_a_version_larger_than_the_budget(self):
        large = self.folder / "large"
        with large.open("wb") as file:
            file.truncate(300 << 20)
        self.catalog = andiron.catalog(self.spark, "large", {"v1": large})
        (kind, message, code), = self.told(lambda c: c.advance("v1"))
        self.assertEqual((kind, code), ("BudgetError", 102), message)
        self.assertIn("spark.andiron.cache.budgetBytes", message)
        self.catalog.close()

    def test_a_worker_without_addresses_left(self):
        import resource

        def limited(action):
            def run(cursor):
                import numpy  # noqa: F401

                soft, hard = resource.getrlimit(resource.RLIMIT_AS)
                used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
                resource.setrlimit(resource.RLIMIT_AS, (used + (50 << 20), hard))
                try:
                    return action(cursor)
                finally:
                    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))

            return run

        with (self.folder / "addresses").open("wb") as file:
            file.truncate(100 << 20)
        self.catalog = andiron.catalog(self.spark, "planes", {"large": self.folder / "addresses"})
        found = self.told(limited(lambda c: c.advance("large")), lambda c: len(c.advance("large")), limited(lambda c: c.records("large", [0] * 100, 1 << 20)),
                          lambda c: c.records("large", [0] * 100, 1 << 20).nbytes)
        for kind, message, code in found[0::2]:
            self.assertEqual((kind, code), ("StoreError", 119), message)
            self.assertIn("version 'large' of dataset 'planes': ", message)
            self.assertIn("spark.executor.pyspark.memory", message)
        self.assertEqual([again for _, again, _ in found[1::2]], [str(100 << 20)] * 2)
        self.catalog.close()

    def test_strangers_at_the_socket(self):
        """A client without the secret gets no answer; a client with the secret and a false or malformed request gets an error; the next worker is served."""
        def talk(catalog):
            import json
            import socket

            from andiron import _channel

            host, port, secret = _channel._address("planes")
            task = _channel_task()
            greet = {"secret": secret, "task": task, "catalog": catalog.id}
            for line in (b"\n", b"{}\n", b"[]\n", b"not JSON\n", json.dumps(greet | {"secret": "0" * 64}).encode() + b"\n", b"\xff" * 100_000,
                         json.dumps(greet | {"task": 1 << 40}).encode() + b"\n", json.dumps(greet | {"catalog": "none"}).encode() + b"\n",
                         json.dumps(greet).encode() + b"\n" + b'{"op":"unknown"}\n', json.dumps(greet).encode() + b"\nnonsense\n",
                         json.dumps(greet).encode() + b'\n{"op":"advance"}\n'):
                with socket.create_connection((host, port)) as connection:
                    connection.settimeout(20)
                    try:
                        connection.sendall(line)
                        connection.shutdown(socket.SHUT_WR)
                        yield connection.makefile("rb").read().decode()
                    except ConnectionError:
                        yield ""
            mode = os.stat(os.path.join(os.environ["SPARK_LOCAL_DIRS"].split(",")[0], _channel.FILE)).st_mode & 0o777
            yield oct(mode) + str(len(catalog.cursor().advance("v1")))

        def _channel_task():
            from pyspark import TaskContext

            return TaskContext.get().taskAttemptId()

        found = self.in_worker(talk)
        self.assertEqual(found[:6], [""] * 6)
        self.assertTrue(all('"error":"ReleasedException"' in text for text in found[6:8]), found[6:8])
        self.assertTrue(all(text.startswith('{"number":0}\n') and '"error"' in text for text in found[8:11]), found[8:11])
        self.assertEqual(found[11], "0o60010000")
        self.nothing_leased()

    def test_an_address_that_another_user_may_have_written(self):
        from unittest import mock

        from andiron import _channel

        place, other = self.folder / _channel.FILE, self.folder / "other"
        text = "127.0.0.1\n1\nsecret\n"

        def file(mode):
            place.write_text(text)
            place.chmod(mode)

        def foreign():
            file(0o600)
            os.chown(place, 65534, 65534)

        def linked():
            other.write_text(text)
            other.chmod(0o600)
            place.symlink_to(other)

        faults = [lambda: file(0o644), lambda: file(0o620), linked, lambda: os.mkfifo(place, 0o600), place.mkdir] + ([foreign] if os.geteuid() == 0 else [])
        with mock.patch.dict(os.environ, {"SPARK_LOCAL_DIRS": str(self.folder)}):
            file(0o600)
            self.assertEqual(_channel._address("planes"), ("127.0.0.1", 1, "secret"))
            for fault in faults:
                place.unlink()
                fault()
                with self.assertRaises(andiron.SettingError) as refused:
                    _channel._address("planes")
                self.assertIn(str(place), str(refused.exception))
                if place.is_dir():
                    place.rmdir()
                    file(0o600)

    def test_strangers_who_say_nothing(self):
        """The server closes the oldest silent connections, and serves a client with the secret despite the others."""
        def crowd(catalog):
            import socket
            from contextlib import ExitStack

            from andiron import _channel

            host, port, _ = _channel._address("planes")
            with ExitStack() as stack:
                connections = [stack.enter_context(socket.create_connection((host, port))) for _ in range(200)]
                cursor = catalog.cursor()
                yield len(cursor.advance("v1"))
                for connection in connections[:72]:
                    # Shorter than the time limit of a silent connection.
                    connection.settimeout(8)
                    yield len(connection.recv(1))
                cursor.release()
                yield len(cursor.advance("v1"))

        found = self.in_worker(crowd)
        self.assertEqual(found, [10000, *([0] * 72), 10000])
        self.nothing_leased()


class Identity(unittest.TestCase):
    def test_device_and_inode_have_no_sign(self):
        from andiron._cursor import _identity

        self.assertEqual(_identity({"device": -1, "inode": -(1 << 63)}), ((1 << 64) - 1, 1 << 63))
        self.assertEqual(_identity({"device": 0, "inode": (1 << 63) - 1}), (0, (1 << 63) - 1))


class WithoutPlugin(Application):
    conf = {"spark.plugins": ""}

    def test_says_so(self):
        with self.raises(andiron.SettingError, "spark.plugins=andiron.AndironPlugin"):
            andiron.catalog(self.spark, "planes", {"v1": self.source("v1", VALUE)})


class TurnedOff(Application):
    conf = {"spark.andiron.python.enabled": "false"}

    def test_says_so(self):
        with self.raises(andiron.SettingError, "spark.andiron.python.enabled"):
            andiron.catalog(self.spark, "planes", {"v1": self.source("v1", VALUE)})
