import pickle

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark import TaskContext

from bench import python_job
from support import CLUSTER, MB, Application, figure, outcome, reader, records

LENGTH, COUNT = 100, 2000


class Reading(Application):
    """Workers read the same bytes as plain Python, by every read method."""

    master = CLUSTER

    def setUp(self):
        self.content = {f"v{i}": records(i, COUNT, LENGTH) for i in range(4)}
        self.catalog_of(self.content)
        self.rows = [(i, f"v{i % 4}", (i * 7919) % COUNT * LENGTH) for i in range(8000)]
        self.truth = {i: self.content[version][at : at + LENGTH] for i, version, at in self.rows}

    def frame(self):
        rows = self.spark.createDataFrame(self.rows, "id long, version string, at long")
        return rows.repartition(8, "id").sortWithinPartitions("version")

    def same(self, rows):
        found = {row[0]: bytes(row[1]) for row in rows}
        self.assertEqual(len(found), len(self.truth))
        self.assertEqual(found, self.truth)
        self.nothing_leased()

    def test_map_in_pandas(self):
        self.same(self.frame().mapInPandas(reader(self.catalog, LENGTH), "id long, record binary").collect())

    def test_map_in_arrow(self):
        catalog = self.catalog

        def read(batches):
            cursor = catalog.cursor()
            for batch in batches:
                names = batch.column("version").to_pylist()
                for version in sorted(set(names)):
                    part = batch.filter(pa.array([name == version for name in names]))
                    found = cursor.advance(version).arrow_records(part.column("at").to_numpy(), LENGTH)
                    yield pa.RecordBatch.from_arrays([part.column("id"), found.cast(pa.binary())], ["id", "record"])

        self.same(self.frame().mapInArrow(read, "id long, record binary").collect())

    def row_by_row(self):
        """The rows' records, each looked up on its own."""
        catalog = self.catalog

        def read(rows):
            cursor = catalog.cursor()
            for row in rows:
                yield row.id, cursor.lookup(row.version, row.at, LENGTH)

        return self.frame().rdd.mapPartitions(read)

    def test_rdd(self):
        self.same(self.row_by_row().collect())

    def test_functions_of_columns_and_groups(self):
        from pyspark.sql.functions import pandas_udf, udf

        catalog = self.catalog

        @udf("binary")
        def one(version, at):
            with catalog.cursor() as cursor:
                return bytearray(cursor.lookup(version, at, LENGTH))

        @pandas_udf("binary")
        def batch(at: pd.Series) -> pd.Series:
            with catalog.cursor() as cursor:
                return pd.Series([record.tobytes() for record in cursor.records("v2", at, LENGTH)])

        def group(key, rows):
            with catalog.cursor() as cursor:
                return pd.DataFrame({"id": rows["id"], "record": [record.tobytes() for record in cursor.records(key[0], rows["at"], LENGTH)]})

        frame = self.frame()
        self.same(frame.select("id", one("version", "at")).collect())
        self.same(frame.groupBy("version").applyInPandas(group, "id long, record binary").collect())
        found = {row[0]: bytes(row[1]) for row in frame.select("id", batch("at")).collect()}
        self.assertEqual(found, {i: self.content["v2"][at : at + LENGTH] for i, _, at in self.rows})

    def test_views_are_read_only_and_not_copies(self):
        def look(catalog):
            value = catalog.cursor().advance("v1")
            array, view, buffer = value.numpy("<u4"), value.view(8, 16), value.arrow(100, 100)
            yield array.flags.writeable, view.readonly, buffer.is_mutable, array.flags.owndata
            yield array.tobytes(), bytes(view), buffer.to_pybytes(), len(value)
            yield value.numpy("<i8", 4, 3).tolist(), value.records([0, 1, 99], "<u2").tolist(), value.records(np.array([1, 5, 4001], "u2"), ">i4").tolist(), value.records([], 8).tolist(), bytes(value.view(len(value)))

        v1 = self.content["v1"]
        flags, whole, parts = self.in_worker(look)
        self.assertEqual(flags, (False, True, False, False))
        self.assertEqual(whole, (v1, v1[8:24], v1[100:200], len(v1)))
        self.assertEqual(parts, (np.frombuffer(v1, "<i8", 3, 4).tolist(), [int.from_bytes(v1[i : i + 2], "little") for i in (0, 1, 99)],
                                 [int.from_bytes(v1[i : i + 4], "big", signed=True) for i in (1, 5, 4001)], [], b""))

    def test_records_of_a_dtype_with_dimensions(self):
        apart, anywhere = [100, 300, 0], [0, 1, 99]

        def look(catalog):
            value = catalog.cursor().advance("v1")
            for kind in ("(25,)<i4", "(5,10)<u2", [("key", "<i4"), ("values", "<i4", 24)]):
                yield [(found.shape, found.dtype.str, found.tobytes()) for found in (value.records(at, kind) for at in (apart, anywhere, []))]
                yield value.numpy(kind, 100, 2).tobytes()
            yield [value.arrow_records(at, LENGTH).to_pylist() for at in (apart, anywhere)]

        v1 = self.content["v1"]
        *found, arrow = self.in_worker(look)
        for told, array, (shape, kind) in zip(found[0::2], found[1::2], (((25,), "<i4"), ((5, 10), "<u2"), ((), "|V100")), strict=True):
            self.assertEqual(told, [((len(at), *shape), kind, b"".join(v1[i : i + LENGTH] for i in at)) for at in (apart, anywhere, [])])
            self.assertEqual(array, v1[100:300])
        self.assertEqual(arrow, [[v1[i : i + LENGTH] for i in at] for at in (apart, anywhere)])

    def test_two_versions_in_one_partition_are_held_one_after_the_other(self):
        def look(catalog):
            cursor = catalog.cursor()
            first = cursor.advance("v0")
            kept = first.view(0, LENGTH)
            second = cursor.advance("v3")
            kind, failed, _ = outcome(first.read, 0, 1)
            with catalog.cursor() as another:
                pair = another.lookup("v0", 0, LENGTH), second.read(0, LENGTH)
            yield (kind, failed), bytes(kept), pair, cursor.advance("v3") is second

        ((kind, failed), kept, pair, same), = self.in_worker(look)
        self.assertEqual(kind, "ReleasedError")
        self.assertIn("version 'v0' of dataset 'test_two_versions", failed)
        self.assertEqual((kept, pair), (self.content["v0"][:LENGTH], (self.content["v0"][:LENGTH], self.content["v3"][:LENGTH])))
        self.assertTrue(same)
        self.nothing_leased()

    def test_each_executor_loads_each_version_once(self):
        before = figure(self.spark, "loads")
        for _ in range(3):
            self.row_by_row().count()
        self.nothing_leased()
        loads = {executor: n - before.get(executor, 0) for executor, n in figure(self.spark, "loads").items() if executor != "driver"}
        self.assertTrue(loads and all(n <= len(self.content) for n in loads.values()), loads)

    def test_a_catalog_is_small_in_a_closure(self):
        self.assertLess(len(pickle.dumps(self.catalog)), 400)
        self.assertIsNone(TaskContext.get())


class Memory(Application):

    def test_four_workers_share_the_pages_of_their_executor(self):
        """Four copies would take 4 x 128 MB; the limit here is less than one."""
        told, = python_job.memory(self.spark, self.folder, 1, 128 * MB)
        self.assertTrue(told["equal"])
        self.assertLess(told["added_bytes"], 64 * MB, told)
        self.nothing_leased()
