"""The parts of the cache benchmark; each returns a list of raw records."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench import generate
from bench.parameters import Parameters
from bench.rivals import Approach, chosen
from bench.spark_app import Setup, submit
from harness.process import jdk
from harness.spark import ApplicationError, Record

SMALL = 1 << 16
"""The size of a version in parts whose loads are sleeps."""

Say = Callable[[str], None]


def approaches(setup: Setup, p: Parameters, say: Say) -> list[Record]:
    """All approaches in sequence, repeated for each turn."""
    data = _fresh(setup.work / "versions")
    say(f"writing {p.versions} versions of {p.version_mb} MB")
    generate.write_versions(data, p.seed, p.versions, p.version_bytes)
    found = []
    try:
        for turn in range(p.turns):
            for approach in chosen(p.approaches):
                record = _approach(setup, p, approach, data, turn)
                found.append(record)
                say(f"turn {turn + 1}, {approach.title}: {record['wall_s']:.1f} s of {record['whole_s']:.0f} s, "
                    f"PSS {record['peak_pss_bytes'] >> 20} MB, {record['loads']} loads, load average {record['load_average']}")
    finally:
        shutil.rmtree(data)
    return found


def _approach(setup: Setup, p: Parameters, approach: Approach, data: Path, turn: int) -> Record:
    limit = approach.limit(p)
    settings: dict[str, object] = {
        "spark.executor.memory": p.heap,
        "spark.executor.extraJavaOptions": f"{p.jvm} -XX:-UsePerfData",
        "spark.bench.executors": p.executors,
    }
    if approach.andiron:
        settings |= {"spark.andiron.cache.budgetBytes": limit, "spark.andiron.cache.keepWarm": str(approach.keep_warm).lower()}
    work = round(p.work * approach.work)
    options = {
        "run": "approach", "approach": approach.runs, "data": data, "limit": limit, "load_millis": 0, "pause_micros": 0,
        "work": work, "stripes": p.stripes, "row_bytes": p.row_bytes, "version_bytes": p.version_bytes,
        "versions": p.versions, "partitions": p.partitions, "tasks_per_version": p.tasks_per_version, "seed": p.seed,
    }
    each = p.slots // p.executors
    master = f"local-cluster[{p.executors},{each},{_megabytes(p.heap)}]"
    [record] = submit(setup, approach.name, master, settings, options, p.heap, approach.andiron, p.executors)
    return {"approach": approach.name, "turn": turn, "limit_bytes": limit, "work": work} | record


def sweep(setup: Setup, p: Parameters, say: Say) -> list[Record]:
    """Numbers of slots times numbers of versions; loads and work are sleeps."""
    found = []
    for slots in _numbers(p.sweep_slots):
        found += _throttled(setup, p, f"sweep-{slots}", slots, p.sweep_versions, 2 * slots, p.sweep_load_ms, p.sweep_row_ms,
                            "closure,stages,andiron-bytes", 1)
        say(f"sweep, {slots} slots: done")
    return found


def talk(setup: Setup, p: Parameters, say: Say) -> list[Record]:
    """One stage per version against Andiron, with the proportions of the talk and a shorter time for its load of a minute."""
    found = _throttled(setup, p, "talk", p.talk_slots, str(p.talk_versions), p.talk_slots, p.talk_minute_ms,
                       p.talk_minute_ms * p.talk_row_minutes, "stages,andiron-bytes", p.turns)
    for record in found:
        say(f"the talk's job, {record['approach']}: {record['wall_s'] * 1000 / p.talk_minute_ms:.0f} minutes of {p.talk_minute_ms} ms")
    return found


def _throttled(
    setup: Setup, p: Parameters, label: str, slots: int, versions: str, partitions: int, load_ms: int, row_ms: float, names: str,
    turns: int,
) -> list[Record]:
    most = max(_numbers(versions))
    data = _fresh(setup.work / "versions")
    generate.write_versions(data, p.seed, most, SMALL)
    settings = {
        "spark.hadoop.fs.slow.millis": load_ms, "spark.andiron.cache.budgetBytes": most * SMALL, "spark.bench.executors": 1,
        # The wait for the next report is not timed.
        "spark.andiron.cache.reportInterval": "100ms",
    }
    options = {
        "run": "sweep", "approaches": names, "versions_list": versions, "turns": turns, "data": data, "limit": most * SMALL,
        "load_millis": load_ms, "pause_micros": round(row_ms * 1000), "work": 1, "stripes": 1, "row_bytes": 64, "version_bytes": SMALL,
        "versions": 1, "partitions": partitions, "tasks_per_version": p.tasks_per_version, "seed": p.seed,
    }
    found = submit(setup, label, f"local[{slots}]", settings, options, p.heap, True, 0)
    shutil.rmtree(data)
    facts = {"slots": slots, "load_ms": load_ms, "pause_micros": options["pause_micros"], "partitions": partitions, "tasks_per_version": p.tasks_per_version}
    return [facts | record for record in found]


def rates(setup: Setup, p: Parameters, say: Say) -> list[Record]:
    """Loads of one file in every way."""
    data = _fresh(setup.work / "versions")
    generate.write_versions(data, p.seed, 1, p.rate_mb << 20)
    settings = {
        "spark.executor.memory": p.heap, "spark.bench.executors": 1,
        "spark.andiron.cache.budgetBytes": 2 * p.rate_mb << 20, "spark.andiron.cache.reportInterval": "100ms",
        "spark.andiron.cache.dir": setup.work / "rates-cache",
    }
    options = {
        "run": "rates", "cache": setup.work / "rates-cache", "file": data / f"{generate.name(0)}.bin", "turns": p.rate_turns,
        "populate": f"{sys.executable} {Path(__file__).with_name('populate.py')}",
    }
    _fresh(setup.work / "rates-cache")
    found = submit(setup, "rates", f"local-cluster[1,1,{_megabytes(p.heap)}]", settings, options, p.heap, True, 1)
    shutil.rmtree(data)
    for record in found:
        say(f"{record['what']}: {record['bytes'] / record['seconds'] / 2**30:.2f} GB/s")
    return found


def kills(setup: Setup, p: Parameters, say: Say) -> list[Record]:
    """Cancelled jobs whose tasks wait for the budget."""
    data = _fresh(setup.work / "versions")
    generate.write_versions(data, p.seed, 2, 1 << 20)
    settings = {"spark.executor.memory": "1g", "spark.bench.executors": 1, "spark.andiron.cache.budgetBytes": 1 << 20}
    options = {
        "run": "kills", "turns": p.kills, "data": data, "limit": 1 << 20, "load_millis": 0, "pause_micros": 0, "work": 1, "stripes": 1,
        "row_bytes": 1, "version_bytes": 1 << 20, "versions": 2, "partitions": 1, "tasks_per_version": 1, "seed": p.seed,
    }
    found = submit(setup, "kills", "local-cluster[1,4,1024]", settings, options, "1g", True, 1)
    shutil.rmtree(data)
    say(f"killed waiters stopped within {max(record['seconds'] for record in found) * 1000:.0f} ms")
    return found


def micro(setup: Setup, p: Parameters, say: Say) -> list[Record]:
    """The JMH benchmarks, each in several processes and in turns."""
    classes = ":".join([str(setup.built.jar()), str(setup.built.jar("bench")), f"{setup.libs}/*", f"{setup.built.home}/jars/*"])
    found = []
    for turn in range(p.micro_turns):
        folder = _fresh(setup.work / "micro")
        folder.mkdir(parents=True)
        result, log = folder / "jmh.json", setup.work / f"micro-{turn}.log"
        load, started = os.getloadavg()[0], time.time()
        with log.open("wb") as output:
            done = subprocess.run(
                [jdk("java"), "-cp", classes, "andiron.bench.micro.Micro", str(result), str(p.micro_iterations), str(p.micro_ms), p.micro_only],
                stdout=output, stderr=output, cwd=folder, check=False, env=os.environ | {"SPARK_LOCAL_IP": "127.0.0.1", "TMPDIR": str(folder)})
        if done.returncode != 0 or not result.exists():
            raise ApplicationError(f"the micro-benchmarks ended with {done.returncode}; see {log}")
        for entry in json.loads(result.read_text()):
            metric = entry["primaryMetric"]
            found.append({
                "benchmark": entry["benchmark"].rpartition(".")[0].rpartition(".")[2] + "." + entry["benchmark"].rpartition(".")[2],
                "turn": turn, "ns": round(metric["score"], 4), "measured_ns": [round(ns, 4) for fork in metric["rawData"] for ns in fork],
                "unit": metric["scoreUnit"], "threads": entry["threads"], "jdk": entry["jdkVersion"], "load_average": round(load, 2),
                "started": round(started, 1),
            })
        say(f"micro-benchmarks, turn {turn + 1}: " + ", ".join(f"{r['benchmark']} {r['ns']:.2f} ns" for r in found if r["turn"] == turn))
    return found


def _numbers(words: str) -> list[int]:
    return [int(word) for word in words.split(",")]


def _megabytes(heap: str) -> int:
    return int(heap[:-1]) * {"g": 1024, "m": 1}[heap[-1].lower()]


def _fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    return folder
