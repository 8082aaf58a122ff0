"""The parts of the metrics benchmark; each returns a list of raw records."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

from bench import shiplog
from bench.measure import Say
from bench.parameters import MetricsParameters
from bench.spark_app import Setup, submit
from harness.facts import ROOT
from harness.spark import ApplicationError, Record

TWO = "local[2]"


def listeners(setup: Setup, p: MetricsParameters, say: Say) -> list[Record]:
    """Listeners with a stream of events and in a job."""
    options = {"run": "listeners", "accumulators": p.accumulators, "tasks": p.tasks, "turns": p.listener_turns, "job_turns": p.listener_turns,
               "stream": p.stream, "rounds": p.rounds}
    queue = "spark.scheduler.listenerbus.eventqueue.{}.capacity"
    settings = {queue.format("nothing"): p.queue, queue.format("sparkmeasure"): p.queue, "spark.andiron.metrics.queueCapacity": p.queue}
    found = submit(setup, "listeners", TWO, settings | _log(setup), options, p.heap, True, 0)
    say("listeners: done")
    return found


def overhead(setup: Setup, p: MetricsParameters, say: Say) -> list[Record]:
    """A job with a step, the listener and the ship log, and the same job without Andiron, in alternating applications."""
    found = []
    for turn in range(p.turns):
        order = (False, True) if turn % 2 == 0 else (True, False)
        for step in order:
            options = {"run": "overhead", "tasks": p.tasks, "step": str(step).lower(), "warm_ups": p.warm_ups, "repeats": p.repeats}
            records = submit(setup, "overhead", TWO, _log(setup) if step else {}, options, p.heap, step, 0)
            found += [{"turn": turn} | record for record in records]
        say(f"overhead, turn {turn + 1}: done")
    return found


def rows(setup: Setup, p: MetricsParameters, say: Say) -> list[Record]:
    """Maps with and without Andiron's guard."""
    options = {"run": "rows", "rows": p.rows, "partitions": 2, "turns": p.row_turns, "warm_ups": p.warm_ups}
    found = submit(setup, "rows", TWO, _log(setup), options, p.heap, True, 0)
    say("rows: done")
    return found


def log(setup: Setup, p: MetricsParameters, say: Say) -> list[Record]:
    """The ship log compared with a bare write loop: native/benches/shiplog.rs."""
    content = _cargo(setup, "shiplog", {"BENCH_SHIPLOG_RECORDS": p.log_records, "BENCH_SHIPLOG_TURNS": p.log_turns}, "bench-shiplog.json")
    say("ship log: done")
    return [{"what": what, "turn": turn, "records": content["records"], "ns_per_record": ns, "load_average": _load()}
            for what, turns in content["ns_per_record"].items() for turn, ns in enumerate(turns)]


def memory(setup: Setup, p: MetricsParameters, say: Say) -> list[Record]:
    """The memory that the core takes for many task ends: native/benches/metrics_memory.rs."""
    content = _cargo(setup, "metrics_memory", {"BENCH_MEMORY_TASKS": p.memory_tasks, "BENCH_MEMORY_ACCUMULATORS": p.memory_accumulators}, "bench-metrics-memory.json")
    say(f"memory: {content['rss_bytes'] / 2**20:.1f} MiB")
    return [content | {"load_average": _load()}]


def stages(setup: Setup, p: MetricsParameters, say: Say) -> list[Record]:
    """The ship log of a job with many stages."""
    options = {"run": "stages", "stages": p.stages, "accumulators": p.stage_accumulators, "tasks": 8, "rows": 20_000}
    [record] = submit(setup, "stages", TWO, _log(setup), options, p.heap, True, 0)
    found = list(shiplog.events(setup.work / "log" / record["application"]))
    changed = {(e.body["stage"], e.body["attempt"]) for e in found if e.kind == "Stage" and e.body["changed"]}
    say(f"stages: {len(found)} events")
    return [{key: value for key, value in record.items() if key != "application"} | {
        "stages_in_log": len({(e.body["stage"], e.body["attempt"]) for e in found if e.kind == "Stage" and e.body["status"] != "skipped"}),
        "accumulators_in_log": len({e.body["acc"] for e in found if e.kind == "Metric" and e.body["source"] == "accumulator"}),
        "stages_changed": len(changed), "events_shipped": len(found), "bytes_shipped": _size(setup.work / "log" / record["application"]),
        "revisions_shipped": sum(e.kind == "Metric" for e in found), "figures_shipped": len({e.id for e in found if e.kind == "Metric"}),
        "revisions_unchanged": len(shiplog.unchanged(found)), "kinds": {kind: sum(e.kind == kind for e in found) for kind in sorted({e.kind for e in found})}}]


def failing(setup: Setup, p: MetricsParameters, say: Say) -> list[Record]:
    """Spark's event log of a job with failing rows, with Andiron and without."""
    found = []
    for step in (False, True):
        folder = setup.work / "events"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        settings = {"spark.eventLog.enabled": "true", "spark.eventLog.dir": folder.as_uri(), "spark.eventLog.compress": "false"}
        options = {"run": "failing", "tasks": p.failing_tasks, "failing": p.failing, "rows": 4 * p.failing, "step": str(step).lower()}
        [record] = submit(setup, "failing", TWO, settings | (_log(setup) if step else {}), options, p.heap, step, 0)
        found.append(record | {"event_log_bytes": _size(folder), "failing_rows": p.failing_tasks * p.failing, "ship_log_bytes": _size(setup.work / "log") if step else 0})
    say(f"event log: {found[1]['event_log_bytes'] - found[0]['event_log_bytes']} bytes more")
    return found


PARTS = {"listeners": listeners, "overhead": overhead, "rows": rows, "log": log, "stages": stages, "failing": failing, "memory": memory}


def _log(setup: Setup) -> dict[str, object]:
    """Settings with a new, empty folder for the ship log."""
    folder = setup.work / "log"
    shutil.rmtree(folder, ignore_errors=True)
    return {"spark.andiron.log.dir": folder}


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _load() -> float:
    return round(os.getloadavg()[0], 2)


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
