"""The cache benchmark: `make bench-cache`; see run.py. Needs `make build`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import generate
from bench.cache_render import SECTION
from bench.figures import MB
from bench.parameters import Parameters
from bench.rivals import Approach, chosen
from bench.run import Benchmark, Say, start
from bench.spark_app import Setup, cluster, submit
from harness.process import jdk
from harness.spark import ApplicationError, Record

SMALL = 1 << 16
"""The size of a version in parts whose loads are sleeps."""


@contextmanager
def _versions(setup: Setup, p: Parameters, count: int, size: int) -> Iterator[Path]:
    """A folder with the files of `count` versions, removed at the end."""
    data = setup.work / "versions"
    generate.write_versions(data, p.seed, count, size)
    try:
        yield data
    finally:
        shutil.rmtree(data)


def _shape(p: Parameters, data: Path, **others: object) -> dict[str, object]:
    """The options of a job; see Options.shape in Scala. By default one row of each version in each partition, without work and without sleeps."""
    return {"data": data, "load_millis": 0, "pause_micros": 0, "work": 1, "stripes": 1, "tasks_per_version": p.tasks_per_version, "seed": p.seed} | others


def approaches(setup: Setup, p: Parameters, say: Say) -> list[Record]:
    """All approaches in sequence, repeated for each turn."""
    say(f"writing {p.versions} versions of {p.version_mb} MB")
    found = []
    with _versions(setup, p, p.versions, p.version_bytes) as data:
        for turn in range(p.turns):
            for approach in chosen(p.approaches):
                record = _approach(setup, p, approach, data, turn)
                found.append(record)
                say(f"turn {turn + 1}, {approach.title}: {record['wall_s']:.1f} s of {record['whole_s']:.0f} s, "
                    f"PSS {record['peak_pss_bytes'] >> 20} MB, {record['loads']} loads, load average {record['load_average']}")
    return found


def _approach(setup: Setup, p: Parameters, approach: Approach, data: Path, turn: int) -> Record:
    limit, work = approach.limit(p), round(p.work * approach.work)
    settings: dict[str, object] = {"spark.executor.extraJavaOptions": f"{p.jvm} -XX:-UsePerfData"}
    if approach.andiron:
        settings |= {"spark.andiron.cache.budgetBytes": limit, "spark.andiron.cache.keepWarm": str(approach.keep_warm).lower()}
    options = {"run": "approach", "approach": approach.runs, "limit": limit} | _shape(
        p, data, work=work, stripes=p.stripes, row_bytes=p.row_bytes, version_bytes=p.version_bytes, versions=p.versions, partitions=p.partitions)
    master = cluster(p.executors, p.slots // p.executors, p.heap)
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
    most, pause = max(_numbers(versions)), round(row_ms * 1000)
    settings = {
        "spark.hadoop.fs.slow.millis": load_ms, "spark.andiron.cache.budgetBytes": most * SMALL,
        # The wait for the next report is not timed.
        "spark.andiron.cache.reportInterval": "100ms",
    }
    with _versions(setup, p, most, SMALL) as data:
        options = {"run": "sweep", "approaches": names, "versions_list": versions, "turns": turns, "limit": most * SMALL} | _shape(
            p, data, load_millis=load_ms, pause_micros=pause, row_bytes=64, version_bytes=SMALL, versions=1, partitions=partitions)
        found = submit(setup, label, f"local[{slots}]", settings, options, p.heap, True, 0)
    facts = {"slots": slots, "load_ms": load_ms, "pause_micros": pause, "partitions": partitions, "tasks_per_version": p.tasks_per_version}
    return [facts | record for record in found]


def rates(setup: Setup, p: Parameters, say: Say) -> list[Record]:
    """Loads of one file in every way."""
    cache = setup.work / "rates-cache"
    settings = {"spark.andiron.cache.budgetBytes": 2 * p.rate_mb << 20, "spark.andiron.cache.reportInterval": "100ms", "spark.andiron.cache.dir": cache}
    with _versions(setup, p, 1, p.rate_mb << 20) as data:
        options = {"run": "rates", "cache": cache, "file": data / f"{generate.name(0)}.bin", "turns": p.rate_turns,
                   "populate": f"{sys.executable} {Path(__file__).with_name('populate.py')}"}
        found = submit(setup, "rates", cluster(1, 1, p.heap), settings, options, p.heap, True, 1)
    for record in found:
        say(f"{record['what']}: {record['bytes'] / record['seconds'] / 2**30:.2f} GB/s")
    return found


def kills(setup: Setup, p: Parameters, say: Say) -> list[Record]:
    """Cancelled jobs whose tasks wait for the budget."""
    with _versions(setup, p, 2, MB) as data:
        options = {"run": "kills", "turns": p.kills, "limit": MB} | _shape(p, data, row_bytes=1, version_bytes=MB, versions=2, partitions=1)
        found = submit(setup, "kills", cluster(1, 4, "1g"), {"spark.andiron.cache.budgetBytes": MB}, options, "1g", True, 1)
    say(f"killed waiters stopped within {max(record['seconds'] for record in found) * 1000:.0f} ms")
    return found


def micro(setup: Setup, p: Parameters, say: Say) -> list[Record]:
    """The JMH benchmarks, each in several processes and in turns."""
    classes = ":".join([str(setup.built.jar()), str(setup.built.jar("bench")), f"{setup.libs}/*", f"{setup.built.home}/jars/*"])
    found = []
    for turn in range(p.micro_turns):
        folder = setup.work / f"micro-{turn}"
        folder.mkdir()
        result, log, begun = folder / "jmh.json", setup.work / f"micro-{turn}.log", start()
        with log.open("wb") as output:
            done = subprocess.run(
                [jdk("java"), "-cp", classes, "andiron.bench.micro.Micro", str(result), str(p.micro_iterations), str(p.micro_ms), p.micro_only],
                stdout=output, stderr=output, cwd=folder, check=False, env=os.environ | {"SPARK_LOCAL_IP": "127.0.0.1", "TMPDIR": str(folder)})
        if done.returncode != 0 or not result.exists():
            raise ApplicationError(f"the micro-benchmarks ended with {done.returncode}; see {log}")
        for entry in json.loads(result.read_text()):
            metric = entry["primaryMetric"]
            found.append({
                "benchmark": ".".join(entry["benchmark"].split(".")[-2:]),
                "turn": turn, "ns": round(metric["score"], 4), "measured_ns": [round(ns, 4) for fork in metric["rawData"] for ns in fork],
                "unit": metric["scoreUnit"], "threads": entry["threads"], "jdk": entry["jdkVersion"], **begun})
        say(f"micro-benchmarks, turn {turn + 1}: " + ", ".join(f"{r['benchmark']} {r['ns']:.2f} ns" for r in found if r["turn"] == turn))
    return found


def _numbers(words: str) -> list[int]:
    return [int(word) for word in words.split(",")]


PARTS = {"approaches": approaches, "sweep": sweep, "talk": talk, "rates": rates, "kills": kills, "micro": micro}
BENCHMARK = Benchmark(SECTION, Parameters, Setup.located, PARTS)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
