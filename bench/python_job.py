"""The measurements of bench/python.py within one application: `python -m bench.python_job RESULT FOLDER TURNS WORKERS BYTES`.

RESULT gets the raw records of all parts as JSON; BYTES is the size of the version that all WORKERS read.
"""

from __future__ import annotations

import gc
import json
import os
import pickle
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import andiron
from bench import python_bulk as bench_bulk
import support
from harness.memory import usage
from harness.process import descendants

PAGE = 4096


def write(path: Path, size: int) -> None:
    """Writes a file of `size` incompressible bytes."""
    block = os.urandom(1 << 20)
    with path.open("wb") as file:
        for number in range(0, size, len(block)):
            file.write((number.to_bytes(8, "little") + block[8:])[: size - number])


def start(spark: Any, folder: Path, turns: int) -> list[dict[str, Any]]:
    """The time of a worker before its first bytes: import of the package, catalog, cursor, and a lease of a resident version."""
    source = folder / "small"
    write(source, 1 << 20)
    catalog = andiron.catalog(spark, "small", {"v1": source})
    pickled = pickle.dumps(catalog)

    def begin() -> Iterator[Any]:
        fresh = "andiron" not in sys.modules
        started, cpu = time.perf_counter(), time.process_time()
        received = pickle.loads(pickled)
        imported = time.perf_counter()
        cursor = received.cursor()
        opened = time.perf_counter()
        value = cursor.advance("v1")
        leased = time.perf_counter()
        value.read(0, 8)
        total = time.perf_counter() - started
        yield fresh, imported - started, opened - imported, leased - opened, total, time.process_time() - cpu

    bench_bulk.in_new_worker(spark, begin)
    names = ("fresh", "import_s", "cursor_s", "advance_s", "total_s", "cpu_s")
    made = [{"turn": turn, **dict(zip(names, bench_bulk.in_new_worker(spark, begin), strict=True))} for turn in range(turns)]
    catalog.close()
    return made


def pss(jvm: int) -> dict[str, int]:
    """Pss of the JVM and of its Python processes, in bytes."""
    found = {pid: used[1] for pid in (jvm, *descendants(jvm)) if (used := usage(pid))}
    return {"jvm": found[jvm], "python": sum(found.values()) - found[jvm], "processes": len(found)}


def memory(spark: Any, folder: Path, turns: int, size: int, workers: int = 4) -> list[dict[str, Any]]:
    """Workers with a lease of one version, before and after each of them reads every page."""
    source = folder / "large"
    write(source, size)
    jvm = spark.sparkContext._jvm.java.lang.ProcessHandle.current().pid()
    made = []
    with andiron.catalog(spark, "large", {"v1": source}) as catalog:
        for turn in range(turns):
            marks = folder / f"marks-{turn}"
            marks.mkdir()

            def read(index: int, _: Any, marks: Path = marks) -> Iterator[int]:
                import numpy as np

                bytes_ = catalog.cursor().advance("v1").numpy()
                np.add.reduce(bytes_[:PAGE], dtype="u8")
                _wait(marks, f"ready-{index}", "go")
                total = int(np.add.reduce(bytes_[::PAGE], dtype="u8"))
                _wait(marks, f"read-{index}", "end")
                yield total

            job = spark.sparkContext.parallelize(range(workers), workers).mapPartitionsWithIndex(read)
            sums: list[int] = []
            thread = threading.Thread(target=lambda job=job, sums=sums: sums.extend(job.collect()))
            thread.start()
            _await(marks, "ready", workers)
            gc.collect()
            before = pss(jvm)
            (marks / "go").touch()
            _await(marks, "read", workers)
            after = pss(jvm)
            (marks / "end").touch()
            thread.join()
            made.append({"turn": turn, "before": before, "after": after, "equal": len(set(sums)) == 1 and len(sums) == workers,
                         "added_bytes": sum(after[of] - before[of] for of in ("jvm", "python"))})
    source.unlink()
    return made


def _wait(marks: Path, mine: str, until: str) -> None:
    (marks / mine).touch()
    while not (marks / until).exists():
        time.sleep(0.02)


def _await(marks: Path, name: str, count: int) -> None:
    support.eventually(lambda: os.listdir(marks), lambda: len(list(marks.glob(f"{name}-*"))) == count)


def main(result: str, folder: str, turns: int, workers: int, size: int) -> None:
    spark = support.session(f"local[{workers}]", **{"spark.python.worker.reuse": "false", "spark.andiron.cache.budgetBytes": "2g", "spark.driver.memory": "2g"})
    try:
        records = Path(folder) / "records"
        write(records, bench_bulk.COUNT * bench_bulk.LENGTH)
        raw = bench_bulk.measured(spark, records, turns) | {"start": start(spark, Path(folder), turns), "memory": memory(spark, Path(folder), turns, size, workers)}
        Path(result).write_text(json.dumps(raw))
    finally:
        spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:3], *map(int, sys.argv[3:]))
