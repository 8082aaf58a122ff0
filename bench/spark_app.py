"""Runs one application of a benchmark by spark-submit and samples the memory of its executors."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import memory, spark
from harness.facts import Built
from harness.spark import ApplicationError, Record

TIMEOUT_S = 900


@dataclass(frozen=True)
class Setup:
    """The files of `make build`, and a folder for the applications."""

    built: Built
    work: Path

    @property
    def libs(self) -> Path:
        return self.built.out / "bench-libs"

    @property
    def rivals(self) -> list[Path]:
        return [path for path in sorted(self.libs.glob("*.jar")) if path.name.startswith(("caffeine-", "spark-measure_"))]


def submit(
    setup: Setup, label: str, master: str, settings: Mapping[str, object], options: Mapping[str, object], heap: str,
    andiron: bool, executors: int,
) -> list[Record]:
    """Runs the application and returns its records, each with the memory peaks of its executors. Its log stays in the work folder."""
    folder, log = setup.work / label, setup.work / f"{label}.log"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "scratch").mkdir(parents=True)
    command = _command(setup, master, folder, settings, options, heap, andiron)
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
    return [{key: _rounded(value) for key, value in record.items()} | facts for record in records]


def _rounded(value: Any) -> Any:
    return round(value, 6) if isinstance(value, float) else value


def _command(
    setup: Setup, master: str, folder: Path, settings: Mapping[str, object], options: Mapping[str, object], heap: str, andiron: bool,
) -> list[str]:
    jars = [*setup.rivals, *([setup.built.jar()] if andiron else [])]
    conf = spark.settings(folder) | (spark.PLUGIN if andiron else {}) | {
        "spark.log.level": "WARN", "spark.executorEnv.MALLOC_ARENA_MAX": "2", "spark.sql.adaptive.enabled": "false",
        "spark.hadoop.fs.slow.impl": "andiron.bench.SlowFileSystem",
        # One partition per file, even for small files.
        "spark.sql.files.openCostInBytes": "128m", "spark.sql.files.maxPartitionBytes": "128m",
    } | dict(settings)
    arguments = spark.pairs(dict(options) | {"scratch": folder / "scratch", "result": folder / "result.json"})
    return spark.submit(setup.built.home, setup.built.jar("bench"), arguments, conf, main="andiron.bench.Bench", master=master, jars=jars, heap=heap)
