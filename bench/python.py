"""The gain of Python workers: `make bench-python`; see run.py. Needs `gradle assemble sparkHome`.

Measures a million records in random order from a resident version against a broadcast dict, in batches and at once; the time of a worker
before its first bytes; and the memory that four workers add when they read one version of 1 GB.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench import python_bulk
from bench.figures import MB, figure, series, spread
from bench.parameters import choice
from bench.render import Table, commits, hardware
from bench.run import Benchmark
from bench.section import FACTS, Section
from bench.spark_app import Setup
from checks.python.environment import Environment
from harness.facts import ROOT
from harness.spark import ApplicationError, Record


@dataclass(frozen=True)
class PythonParameters:
    turns: int = choice(7, "turns of every measurement")
    records: int = python_bulk.COUNT
    record_bytes: int = python_bulk.LENGTH
    workers: int = 4
    version_bytes: int = 1 << 30


def setup(work: Path) -> Setup:
    environment = Environment.of()
    environment.fetch()
    return Setup(environment, work)


@functools.cache
def application(setup: Setup, p: PythonParameters) -> Record:
    """The raw records of all parts, from one application of python_job.py."""
    variables = setup.built.variables()  # type: ignore[attr-defined]
    # Workers import bench.python_bulk.
    variables["PYTHONPATH"] += os.pathsep + os.pathsep.join((str(ROOT), str(ROOT / "checks/python")))
    variables |= {"ANDIRON_JAR": str(setup.built.jar()), "PYSPARK_SUBMIT_ARGS": "--driver-memory 2g pyspark-shell"}
    result, folder = setup.work / "result.json", setup.work / "data"
    folder.mkdir()
    words = [sys.executable, "-m", "bench.python_job", result, folder, p.turns, p.workers, p.version_bytes]
    ended = subprocess.run(list(map(str, words)), env=variables, check=False)
    shutil.rmtree(folder)
    if ended.returncode != 0:
        raise ApplicationError(f"the application ended with {ended.returncode}")
    found: Record = json.loads(result.read_text())
    return found


LEAST_TIMES, MOST_START_S, MOST_ADDED_MB = 10.0, 0.020, 50.0


def batches(records: list[Record], content: Record) -> list[Record]:
    ours, theirs = (median(r[name] for r in records) * 1e3 for name in ("andiron_s", "dict_s"))
    at_once = f"; all at once {_times(content['raw']['bulk'], '_s'):.1f} x" if "bulk" in content["raw"] else ""
    return [figure(
        "python-bulk", "a million records of 100 bytes in disorder from a resident version, in the 100 batches of `mapInArrow`, against a broadcast dict, "
        "first use included", _times(records, "_s"), ">=", LEAST_TIMES, "x",
        f"{ours:.0f} ms against {theirs:.0f} ms; by the worker's CPU {_times(records, '_cpu_s'):.1f} x{at_once}")]


def _times(turns: list[Record], of: str) -> float:
    """The dict's time over the version's, in the median turn."""
    return median(r[f"dict{of}"] / r[f"andiron{of}"] for r in turns)


def start(records: list[Record], _: Record) -> list[Record]:
    parts = {"import_s": "import", "cursor_s": "cursor", "advance_s": "lease and mapping"}
    return [figure("python-start", "time of a worker before its first bytes", median(r["total_s"] for r in records) * 1e3, "<=", MOST_START_S * 1e3, "ms",
                   ", ".join(f"{title} {median(r[name] for r in records) * 1e3:.1f} ms" for name, title in parts.items()))]


def memory(records: list[Record], _: Record) -> list[Record]:
    added = [r["added_bytes"] / MB for r in records]
    return [figure("python-memory", "memory that four workers add when each reads all of one version of 1 GB (PSS)", median(added), "<=", MOST_ADDED_MB, "MB",
                   f"{spread(added, 0)} MB")]


def wrong(content: Record) -> list[str]:
    """The faults that invalidate the raw records, one sentence each."""
    raw = content["raw"]
    found = [f"turn {r['turn']} of {part} has read other bytes than it should" for part in ("batches", "bulk", "designs", "memory") for r in raw.get(part, []) if not r["equal"]]
    found += [f"turn {r['turn']} of start was in a worker that had the package already" for r in raw.get("start", []) if not r["fresh"]]
    numbers = {part: len(raw.get(part, [])) for part in ("batches", "bulk", "start", "memory")}
    return found + [f"{part} has {number} of {content['parameters']['turns']} turns" for part, number in numbers.items() if number != content["parameters"]["turns"]]


def machine(content: Record) -> str:
    return (f"{commits(content)}, PySpark {content['spark']}, Python {content['python']}, {hardware(content)}. {content['parameters']['turns']} turns, each in new workers; "
            f"load average at the start {content['load_average']:.1f}, {content['total_s']:.0f} s in all.")


Row = tuple[str, Callable[[Record], float], int]
READS: list[Row] = [
    ("resident version, `cursor` to records, ms", lambda r: r["andiron_s"] * 1e3, 0),
    ("broadcast dict, `value` to records, ms", lambda r: r["dict_s"] * 1e3, 0),
    ("of that, until the dict is loaded, ms", lambda r: r["dict_unpickled_s"] * 1e3, 0),
    ("CPU of the worker, resident version, ms", lambda r: r["andiron_cpu_s"] * 1e3, 0),
    ("CPU of the worker, broadcast dict, ms", lambda r: r["dict_cpu_s"] * 1e3, 0),
    ("how many times as fast, x", lambda r: r["dict_s"] / r["andiron_s"], 1),
]
TURNS: list[tuple[str, str, list[Row]]] = [
    ("batches", "in batches: ", READS),
    ("bulk", "all at once: ", READS),
    ("start", "", [("start of a worker, ms", lambda r: r["total_s"] * 1e3, 1), ("CPU of it, ms", lambda r: r["cpu_s"] * 1e3, 1)]),
    ("memory", "", [("JVM and workers before they read 1 GB, PSS in MB", lambda r: (r["before"]["jvm"] + r["before"]["python"]) / MB, 0),
                    ("after, MB", lambda r: (r["after"]["jvm"] + r["after"]["python"]) / MB, 0)]),
]


def _row(title: str, values: list[float], digits: int) -> tuple[str, str, str]:
    return title, f"{median(values):.{digits}f}", spread(values, digits)


def turns_table(content: Record) -> Table:
    return ("quantity", "median", "all turns"), [
        _row(f"{way}{title}", [value(r) for r in content["raw"][part]], digits) for part, way, rows in TURNS if part in content["raw"] for title, value, digits in rows]


def designs_table(content: Record) -> Table:
    """The designs of the read at once, the fastest first."""
    by = series(content["raw"].get("designs", []), "design", lambda record: record["seconds"] * 1e3)
    rows = sorted(by.items(), key=lambda one: median(one[1].values()))
    return ("all at once, `cursor` to records", "median, ms", "all turns, ms"), [_row(name, list(times.values()), 0) for name, times in rows]


PARTS = {"batches": batches, "bulk": lambda records, content: [], "designs": lambda records, content: [], "start": start, "memory": memory}
SECTION = Section("python", PARTS, machine, {"turns": turns_table, "designs": designs_table}, wrong=wrong,
                  facts=tuple(fact for fact in FACTS if fact not in ("seed", "scala")))
BENCHMARK = Benchmark(SECTION, PythonParameters, setup, {part: lambda setup, p, _, part=part: application(setup, p)[part] for part in SECTION.parts}, strict=True)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
