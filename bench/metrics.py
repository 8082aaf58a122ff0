"""The metrics benchmark: `make bench-metrics`; see run.py. Needs `gradle -PscalaVersion=2.12 assemble benchJar sparkHome`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

from bench import shiplog
from bench.metrics_render import SECTION
from bench.parameters import MetricsParameters
from bench.run import Benchmark, Say, start
from bench.spark_app import Setup, submit
from harness.facts import ROOT
from harness.spark import ApplicationError, Record, Settings


def _application(setup: Setup, p: MetricsParameters, settings: Settings = {}, andiron: bool = True, **options: object) -> list[Record]:
    """The records of an application of two slots, with a new, empty folder for the ship log if it has Andiron."""
    folder = setup.work / "log"
    shutil.rmtree(folder, ignore_errors=True)
    return submit(setup, str(options["run"]), "local[2]", {**settings, "spark.andiron.log.dir": folder if andiron else None}, options, p.heap, andiron, 0)


def listeners(setup: Setup, p: MetricsParameters, say: Say) -> list[Record]:
    """Listeners with a stream of events and in a job."""
    queue = "spark.scheduler.listenerbus.eventqueue.{}.capacity"
    settings = {queue.format("nothing"): p.queue, queue.format("sparkmeasure"): p.queue, "spark.andiron.metrics.queueCapacity": p.queue}
    return _application(setup, p, settings, run="listeners", accumulators=p.accumulators, tasks=p.tasks, turns=p.listener_turns, job_turns=p.listener_turns,
                        stream=p.stream, rounds=p.rounds)


def overhead(setup: Setup, p: MetricsParameters, say: Say) -> list[Record]:
    """A job with a step, the listener and the ship log, and the same job without Andiron, in alternating applications."""
    found = []
    for turn in range(p.turns):
        for step in (False, True) if turn % 2 == 0 else (True, False):
            records = _application(setup, p, andiron=step, run="overhead", tasks=p.tasks, step=step, warm_ups=p.warm_ups, repeats=p.repeats)
            found += [{"turn": turn} | record for record in records]
        say(f"overhead, turn {turn + 1}: done")
    return found


def rows(setup: Setup, p: MetricsParameters, say: Say) -> list[Record]:
    """Maps with and without Andiron's guard."""
    return _application(setup, p, run="rows", rows=p.rows, partitions=2, turns=p.row_turns, warm_ups=p.warm_ups)


def log(setup: Setup, p: MetricsParameters, say: Say) -> list[Record]:
    """The ship log compared with a bare write loop: native/benches/shiplog.rs."""
    content = _cargo(setup, "shiplog", {"BENCH_SHIPLOG_RECORDS": p.log_records, "BENCH_SHIPLOG_TURNS": p.log_turns}, "bench-shiplog.json")
    return [{"what": what, "turn": turn, "records": content["records"], "ns_per_record": ns, **start()}
            for what, turns in content["ns_per_record"].items() for turn, ns in enumerate(turns)]


def memory(setup: Setup, p: MetricsParameters, say: Say) -> list[Record]:
    """The memory that the core takes for many task ends: native/benches/metrics_memory.rs."""
    content = _cargo(setup, "metrics_memory", {"BENCH_MEMORY_TASKS": p.memory_tasks, "BENCH_MEMORY_ACCUMULATORS": p.memory_accumulators}, "bench-metrics-memory.json")
    return [content | start()]


def stages(setup: Setup, p: MetricsParameters, say: Say) -> list[Record]:
    """The ship log of a job with many stages."""
    [record] = _application(setup, p, run="stages", stages=p.stages, accumulators=p.stage_accumulators, tasks=8, rows=20_000)
    folder = setup.work / "log" / record.pop("application")
    found = list(shiplog.events(folder))
    stages, metrics = ([e for e in found if e.kind == kind] for kind in ("Stage", "Metric"))
    return [record | {
        "stages_in_log": len({(e.body["stage"], e.body["attempt"]) for e in stages if e.body["status"] != "skipped"}),
        "accumulators_in_log": len({e.body["acc"] for e in metrics if e.body["source"] == "accumulator"}),
        "stages_changed": len({(e.body["stage"], e.body["attempt"]) for e in stages if e.body["changed"]}),
        "events_shipped": len(found), "bytes_shipped": _size(folder), "revisions_shipped": len(metrics), "figures_shipped": len({e.id for e in metrics}),
        "revisions_unchanged": len(shiplog.unchanged(found)), "kinds": dict(sorted(Counter(e.kind for e in found).items()))}]


def failing(setup: Setup, p: MetricsParameters, say: Say) -> list[Record]:
    """Spark's event log of a job with failing rows, with Andiron and without."""
    found = []
    for step in (False, True):
        folder = setup.work / f"events-{step}"
        folder.mkdir()
        settings = {"spark.eventLog.enabled": "true", "spark.eventLog.dir": folder.as_uri(), "spark.eventLog.compress": "false"}
        [record] = _application(setup, p, settings, step, run="failing", tasks=p.failing_tasks, failing=p.failing, rows=4 * p.failing, step=step)
        found.append(record | {"event_log_bytes": _size(folder), "failing_rows": p.failing_tasks * p.failing, "ship_log_bytes": _size(setup.work / "log")})
    return found


def _size(folder: Path) -> int:
    """The bytes of all files of a folder; 0 if it does not exist."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _cargo(setup: Setup, bench: str, sizes: dict[str, int], result: str) -> Record:
    """Runs a benchmark of the core, built with the id of the jar's library: with another id cargo would rebuild that library."""
    file = ROOT / "build" / result
    file.unlink(missing_ok=True)
    with zipfile.ZipFile(setup.built.jar()) as jar:
        manifest = dict(line.split(": ", 1) for line in jar.read("META-INF/MANIFEST.MF").decode().splitlines() if ": " in line)
    done = subprocess.run([os.environ.get("CARGO", "cargo"), "bench", "--locked", "--quiet", "-p", "andiron", "--bench", bench], cwd=ROOT, check=False, capture_output=True, text=True,
                          env=os.environ | {"ANDIRON_BUILD_ID": manifest["Native-Build"]} | {name: str(size) for name, size in sizes.items()})
    if done.returncode != 0 or not file.exists():
        raise ApplicationError(f"cargo bench --bench {bench} ended with {done.returncode}:\n{done.stderr[-4000:]}")
    content: Record = json.loads(file.read_text(encoding="utf-8"))
    return content


PARTS = {"listeners": listeners, "overhead": overhead, "rows": rows, "log": log, "stages": stages, "failing": failing, "memory": memory}
BENCHMARK = Benchmark(SECTION, MetricsParameters, lambda work: Setup.located(work, scala="2.12"), PARTS)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
