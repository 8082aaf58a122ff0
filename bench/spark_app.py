"""Runs one application of a benchmark by spark-submit and samples the memory of its executors."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness import memory, spark
from harness.facts import SCALA, Built
from harness.spark import ApplicationError, Record

TIMEOUT_S = 900


@dataclass(frozen=True)
class Setup:
    """The files of `make build`, and a folder for the applications."""

    built: Built
    work: Path

    @classmethod
    def located(cls, work: Path, scala: str = SCALA) -> Setup:
        return cls(Built.located("bench", scala=scala), work)

    @property
    def libs(self) -> Path:
        return self.built.out / "bench-libs"

    @property
    def rivals(self) -> list[Path]:
        return [path for path in sorted(self.libs.glob("*.jar")) if path.name.startswith(("caffeine-", "spark-measure_"))]


def cluster(executors: int, slots: int, heap: str) -> str:
    """The master of a local cluster whose executors have `slots` each."""
    return f"local-cluster[{executors},{slots},{int(heap[:-1]) * {'g': 1024, 'm': 1}[heap[-1].lower()]}]"


def submit(
    setup: Setup, label: str, master: str, settings: Mapping[str, object], options: Mapping[str, object], heap: str,
    andiron: bool, executors: int,
) -> list[Record]:
    """
    Runs the application and returns its records, each with the memory peaks of its executors. Its log stays in the work folder.

    `executors`: the number of executor processes; 0 for a local master, whose memory is not sampled.
    """
    folder, log = setup.work / label, setup.work / f"{label}.log"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "scratch").mkdir(parents=True)
    conf = spark.settings(folder) | (spark.PLUGIN if andiron else {}) | ({"spark.executor.memory": heap} if executors else {}) | {
        "spark.bench.executors": max(1, executors), "spark.log.level": "WARN", "spark.executorEnv.MALLOC_ARENA_MAX": "2",
        "spark.sql.adaptive.enabled": "false", "spark.hadoop.fs.slow.impl": "andiron.bench.SlowFileSystem",
        # One partition per file, even for small files.
        "spark.sql.files.openCostInBytes": "128m", "spark.sql.files.maxPartitionBytes": "128m",
    } | dict(settings)
    arguments = spark.pairs(dict(options) | {"scratch": folder / "scratch", "result": folder / "result.json"})
    jars = [*setup.rivals, *([setup.built.jar()] if andiron else [])]
    command = spark.submit(setup.built.home, setup.built.jar("bench"), arguments, conf, main="andiron.bench.Bench", master=master, jars=jars, heap=heap)
    load, started = os.getloadavg()[0], time.time()
    with spark.Application(command, spark.environment(setup.built.home), folder) as app:
        with memory.Sampler(app.pid, executors) as sampler:
            status = app.status(TIMEOUT_S)
        app.left()
    log.write_text(app.out + app.log)
    result = folder / "result.json"
    if status != 0 or not result.exists():
        raise ApplicationError(f"{label} ended with {status}; {app.tail()}")
    if executors and (sampler.error is not None or sampler.peak.samples == 0):
        raise ApplicationError(f"the memory of {label} could not be sampled: {sampler.error}")
    records: list[Record] = json.loads(result.read_text())
    facts: Record = {"started": round(started, 1), "load_average": round(load, 2), "whole_s": round(time.time() - started, 3)}
    if executors:
        facts |= {"peak_rss_bytes": sampler.peak.rss, "peak_pss_bytes": sampler.peak.pss, "samples": sampler.peak.samples}
    shutil.rmtree(folder)
    return [{key: round(value, 6) if isinstance(value, float) else value for key, value in record.items()} | facts for record in records]
