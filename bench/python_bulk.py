"""A million records in random order, from a resident version and from a broadcast dict with the same keys; see python_job.py.

Each turn runs both ways one after the other, each in a new worker and including its first use there: all records at once, and the
batches of `mapInArrow`. Then other designs of the read at once.
"""

from __future__ import annotations

import mmap
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

COUNT, LENGTH = 1_000_000, 100
BATCHES = 100
"""The number of batches. A batch has 10,000 rows, the default of spark.sql.execution.arrow.maxRecordsPerBatch."""
KEY_STEP = 618_034
"""Coprime to COUNT, so that every key occurs once, in an order that hardware cannot prefetch."""
SCHEMA = "seconds double, cpu double, unpickled double, crc long, batches long, rows long"
CHUNK = 5000
"""The number of records that `Bytes.records` copies at a time."""


class Clock:
    """Wall clock and CPU time of this process, summed over several `with` blocks."""

    def __init__(self) -> None:
        self.seconds = self.cpu = 0.0

    def __enter__(self) -> Clock:
        self._started, self._cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self._started
        self.cpu += time.process_time() - self._cpu


def in_new_worker(spark: Any, function: Callable[[], Iterator[Any]]) -> Any:
    """The first value of `function` in a new worker (worker reuse is off)."""
    return spark.sparkContext.parallelize([0], 1).mapPartitions(lambda _: function()).collect()[0]


def measured(spark: Any, source: Path, turns: int) -> dict[str, list[dict[str, Any]]]:
    """`source` has the records. The time ends when a million records of 100 bytes are read; the check of their content is not timed."""
    # Imported here, so that workers whose start is measured do not import it with this module.
    import andiron

    content = source.read_bytes()
    table = spark.sparkContext.broadcast({key: content[key * LENGTH : (key + 1) * LENGTH] for key in range(COUNT)})
    del content
    catalog = andiron.catalog(spark, "records", {"v1": source})
    keys = spark.range(0, COUNT, 1, 1).selectExpr(f"id * {KEY_STEP} % {COUNT} AS key")

    def batches(function: Callable[[Iterable[Any]], Iterator[Any]]) -> Any:
        return keys.mapInArrow(function, SCHEMA).collect()[0]

    try:
        at_once = (lambda: in_new_worker(spark, _mapped(catalog)), lambda: in_new_worker(spark, _dictionary(table)))
        in_batches = (lambda: batches(_mapped_batches(catalog)), lambda: batches(_dictionary_batches(table)))
        made = {"bulk": _turns(turns, 1, *at_once), "batches": _turns(turns, BATCHES, *in_batches)}
        truth = in_new_worker(spark, _mapped(catalog))[3]
        made["designs"] = [
            {"turn": turn, "design": name, "seconds": told[0], "cpu_s": told[1], "equal": told[3] == truth}
            for turn in range(turns) for name in DESIGNS for told in [in_new_worker(spark, _mapped(catalog, name))]]
        return made
    finally:
        catalog.close()
        table.destroy()


def _turns(turns: int, batches: int, ours: Callable[[], Any], theirs: Callable[[], Any]) -> list[dict[str, Any]]:
    """Alternates both ways, after one run of each that does not count."""
    ours()
    theirs()
    made = []
    for turn in range(turns):
        a, b = ours(), theirs()
        made.append({"turn": turn, "andiron_s": a[0], "dict_s": b[0], "andiron_cpu_s": a[1], "dict_cpu_s": b[1], "dict_unpickled_s": b[2],
                     "equal": tuple(a)[3:] == tuple(b)[3:] and tuple(a)[4:] == (batches, COUNT)})
    return made


def _mapped(catalog: Any, design: str = "") -> Callable[[], Iterator[Any]]:
    def read() -> Iterator[Any]:
        import numpy as np
        import pyarrow  # noqa: F401

        keys = np.arange(COUNT, dtype="i8") * KEY_STEP % COUNT
        with Clock() as clock:
            value = catalog.cursor().advance("v1")
            found = DESIGNS[design](value, keys) if design else value.records(keys * LENGTH, LENGTH)
        yield clock.seconds, clock.cpu, 0.0, zlib.crc32(memoryview(found)), 1, COUNT

    return read


def _dictionary(table: Any) -> Callable[[], Iterator[Any]]:
    def read() -> Iterator[Any]:
        import numpy as np

        keys = (np.arange(COUNT, dtype="i8") * KEY_STEP % COUNT).tolist()
        with Clock() as first:
            value = table.value
        with Clock() as clock:
            found = [value[key] for key in keys]
        yield first.seconds + clock.seconds, first.cpu + clock.cpu, first.seconds, zlib.crc32(b"".join(found)), 1, len(found)

    return read


def _mapped_batches(catalog: Any) -> Callable[[Iterable[Any]], Iterator[Any]]:
    def read(batches: Iterable[Any]) -> Iterator[Any]:
        clock, cursor, crc, count, rows = Clock(), None, 0, 0, 0
        for batch in batches:
            # Not timed, as for the dict: the first conversion imports pandas, which takes a quarter of a second.
            keys = batch.column("key").to_numpy()
            with clock:
                cursor = cursor or catalog.cursor()
                found = cursor.records("v1", keys * LENGTH, LENGTH)
            crc, count, rows = zlib.crc32(memoryview(found), crc), count + 1, rows + len(found)
        yield _row(clock, 0.0, crc, count, rows)

    return read


def _dictionary_batches(table: Any) -> Callable[[Iterable[Any]], Iterator[Any]]:
    def read(batches: Iterable[Any]) -> Iterator[Any]:
        clock, first, value, crc, count, rows = Clock(), Clock(), None, 0, 0, 0
        for batch in batches:
            keys = batch.column("key").to_pylist()
            with clock:
                if value is None:
                    with first:
                        value = table.value
                found = [value[key] for key in keys]
            crc, count, rows = zlib.crc32(b"".join(found), crc), count + 1, rows + len(found)
        yield _row(clock, first.seconds, crc, count, rows)

    return read


def _row(clock: Clock, unpickled: float, crc: int, batches: int, rows: int) -> Any:
    import pyarrow as pa

    return pa.RecordBatch.from_arrays(
        [pa.array([value]) for value in (clock.seconds, clock.cpu, unpickled, crc, batches, rows)], ["seconds", "cpu", "unpickled", "crc", "batches", "rows"])


def _filled(made: Any, value: Any, keys: Any) -> Any:
    """`made`, filled with the records in the way of `Bytes.records`."""
    table = value.numpy(f"V{LENGTH}")
    for first in range(0, len(keys), CHUNK):
        table.take(keys[first : first + CHUNK], out=made[first : first + CHUNK], mode="clip")
    return made


def _huge_pages(value: Any, keys: Any) -> Any:
    import numpy as np

    return _filled(np.empty(COUNT, f"V{LENGTH}"), value, keys)


def _untouched_pages(value: Any, keys: Any) -> Any:
    return _filled(_mapped_room(mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS), value, keys)


def _chunked_index(value: Any, keys: Any) -> Any:
    made, table = _mapped_room(mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE), value.numpy(f"V{LENGTH}")
    for first in range(0, len(keys), CHUNK):
        made[first : first + CHUNK] = table[keys[first : first + CHUNK]]
    return made


def _mapped_room(flags: int) -> Any:
    import numpy as np

    return np.ndarray((COUNT,), f"V{LENGTH}", mmap.mmap(-1, COUNT * LENGTH, flags=flags))


def _index(value: Any, keys: Any) -> Any:
    return value.numpy(f"V{LENGTH}")[keys]


def _take(value: Any, keys: Any) -> Any:
    return value.numpy(f"V{LENGTH}").take(keys)


def _arrow(value: Any, keys: Any) -> Any:
    import pyarrow as pa

    found = pa.FixedSizeBinaryArray.from_buffers(pa.binary(LENGTH), COUNT, [None, value.arrow()]).take(pa.array(keys))
    return found.buffers()[1]


DESIGNS: dict[str, Callable[[Any, Any], Any]] = {
    "as shipped: small pages faulted in at once, `np.take` of 5,000": lambda value, keys: value.records(keys * LENGTH, LENGTH),
    "the same with numpy's index": _chunked_index,
    "small pages faulted in one by one, `np.take` of 5,000": _untouched_pages,
    "numpy's memory, which asks for huge pages, `np.take` of 5,000": _huge_pages,
    "numpy's memory, `np.take` of all": _take,
    "numpy's memory, numpy's index of all": _index,
    "`take` of an Arrow array": _arrow,
}
