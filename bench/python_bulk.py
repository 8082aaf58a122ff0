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
SCHEMA = "seconds double, cpu double, opening double, crc long, batches long, rows long"
Row = tuple[float, float, float, int, int, int]
"""The result of reading all keys, in the columns of SCHEMA. `opening` is the part of `seconds` until the source is open: the dict is unpickled."""
CRC = 3
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

    def dictionary() -> Any:
        return table.value

    def batches(function: Callable[[Iterable[Any]], Iterator[Any]]) -> Any:
        return keys.mapInArrow(function, SCHEMA).collect()[0]

    def at_once(design: str) -> Any:
        return in_new_worker(spark, _at_once(lambda: catalog.cursor().advance("v1"), DESIGNS[design]))

    shipped = next(iter(DESIGNS))
    try:
        made = {
            "bulk": _turns(turns, 1, lambda: at_once(shipped), lambda: in_new_worker(spark, _at_once(dictionary, _from_dict, as_list=True))),
            "batches": _turns(turns, BATCHES, lambda: batches(_in_batches(catalog.cursor, lambda cursor, keys: cursor.records("v1", keys * LENGTH, LENGTH))),
                              lambda: batches(_in_batches(dictionary, _from_dict, as_list=True)))}
        truth = at_once(shipped)[CRC]
        made["designs"] = [
            {"turn": turn, "design": name, "seconds": told[0], "cpu_s": told[1], "equal": told[CRC] == truth}
            for turn in range(turns) for name in DESIGNS for told in [at_once(name)]]
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


def _at_once(open: Callable[[], Any], read: Callable[[Any, Any], Any], as_list: bool = False) -> Callable[[], Iterator[Row]]:
    def run() -> Iterator[Row]:
        import numpy as np
        import pyarrow  # noqa: F401

        keys = np.arange(COUNT, dtype="i8") * KEY_STEP % COUNT
        yield _timed([keys.tolist() if as_list else keys], open, read)

    return run


def _in_batches(open: Callable[[], Any], read: Callable[[Any, Any], Any], as_list: bool = False) -> Callable[[Iterable[Any]], Iterator[Any]]:
    def run(batches: Iterable[Any]) -> Iterator[Any]:
        import pyarrow as pa

        # Not timed: the first conversion to numpy imports pandas, which takes a quarter of a second.
        columns = (batch.column("key") for batch in batches)
        row = _timed((keys.to_pylist() if as_list else keys.to_numpy() for keys in columns), open, read)
        yield pa.RecordBatch.from_arrays([pa.array([value]) for value in row], [column.split()[0] for column in SCHEMA.split(", ")])

    return run


def _timed(batches: Iterable[Any], open: Callable[[], Any], read: Callable[[Any, Any], Any]) -> Row:
    """Opens the source for the first batch of keys and reads the records of all batches."""
    clock, opening, source, crc, count, rows = Clock(), Clock(), None, 0, 0, 0
    for keys in batches:
        with clock:
            if source is None:
                with opening:
                    source = open()
            found = read(source, keys)
        content = b"".join(found) if isinstance(found, list) else memoryview(found)
        crc, count, rows = zlib.crc32(content, crc), count + 1, rows + len(found)
    return clock.seconds, clock.cpu, opening.seconds, crc, count, rows


def _from_dict(table: dict[int, bytes], keys: list[int]) -> list[bytes]:
    return [table[key] for key in keys]


def _filled(made: Any, value: Any, keys: Any) -> Any:
    """`made`, filled with the records in the way of `Bytes.records`."""
    table = value.numpy(f"V{LENGTH}")
    for first in range(0, len(keys), CHUNK):
        table.take(keys[first : first + CHUNK], out=made[first : first + CHUNK], mode="clip")
    return made


def _chunked_index(value: Any, keys: Any) -> Any:
    made, table = _room(mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE), value.numpy(f"V{LENGTH}")
    for first in range(0, len(keys), CHUNK):
        made[first : first + CHUNK] = table[keys[first : first + CHUNK]]
    return made


def _room(flags: int | None = None) -> Any:
    """Room for all records: of a mapping with these flags, or of numpy."""
    import numpy as np

    return np.empty(COUNT, f"V{LENGTH}") if flags is None else np.ndarray((COUNT,), f"V{LENGTH}", mmap.mmap(-1, COUNT * LENGTH, flags=flags))


def _arrow(value: Any, keys: Any) -> Any:
    import pyarrow as pa

    found = pa.FixedSizeBinaryArray.from_buffers(pa.binary(LENGTH), COUNT, [None, value.arrow()]).take(pa.array(keys))
    return found.buffers()[1]


DESIGNS: dict[str, Callable[[Any, Any], Any]] = {
    "as shipped: small pages faulted in at once, `np.take` of 5,000": lambda value, keys: value.records(keys * LENGTH, LENGTH),
    "the same with numpy's index": _chunked_index,
    "small pages faulted in one by one, `np.take` of 5,000": lambda value, keys: _filled(_room(mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS), value, keys),
    "numpy's memory, which asks for huge pages, `np.take` of 5,000": lambda value, keys: _filled(_room(), value, keys),
    "numpy's memory, `np.take` of all": lambda value, keys: value.numpy(f"V{LENGTH}").take(keys),
    "numpy's memory, numpy's index of all": lambda value, keys: value.numpy(f"V{LENGTH}")[keys],
    "`take` of an Arrow array": _arrow,
}
