"""Runs one of the benchmark's applications in processes of its own, with its executors' memory sampled."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import memory

TIMEOUT_S = 900
Record = dict[str, Any]


class ApplicationError(Exception):
    """The application failed, hung, or wrote no result."""


@dataclass(frozen=True)
class Setup:
    """What `make build` has left."""

    spark_home: Path
    andiron_jar: Path
    bench_jar: Path
    libs: Path
    work: Path

    @property
    def rivals(self) -> list[Path]:
        return [path for path in sorted(self.libs.glob("*.jar")) if path.name.startswith(("caffeine-", "spark-measure_"))]


def locate(build: Path, work: Path, scala: str = "2.13") -> Setup:
    homes = [Path(home) for home in filter(None, [os.environ.get("BENCH_SPARK_HOME")])] or sorted(build.glob(f"spark-3.5*_{scala}"))
    if not homes or not (homes[0] / "bin" / "spark-submit").exists():
        raise ApplicationError(f"no Spark in {homes[0] if homes else build}: run `make build`, or set BENCH_SPARK_HOME")
    home = homes[0].absolute()
    scala = next(home.glob("jars/spark-core_*.jar")).name.split("_")[1].split("-")[0]
    libs = build / f"scala-{scala}" / "libs"
    jars = {name: [p for p in libs.glob(f"{name}_{scala}-*.jar") if not p.stem.endswith("-sources")] for name in ("andiron", "andiron-bench")}
    for name, found in jars.items():
        if len(found) != 1:
            raise ApplicationError(f"{len(found)} jars of {name} in {libs}, not one: run `make build`")
    return Setup(home, jars["andiron"][0].absolute(), jars["andiron-bench"][0].absolute(), libs.parent / "bench-libs", work.absolute())


def submit(
    setup: Setup, label: str, master: str, settings: Mapping[str, object], options: Mapping[str, object], heap: str,
    andiron: bool, executors: int,
) -> list[Record]:
    """The records that the application wrote, each with the peaks of its executors. Its log stays in the work folder."""
    folder = setup.work / label
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "scratch").mkdir(parents=True)
    log = setup.work / f"{label}.log"
    command = _command(setup, master, folder, settings, options, heap, andiron)
    environment = os.environ | {"SPARK_HOME": str(setup.spark_home), "SPARK_LOCAL_IP": "127.0.0.1"}
    load, started = os.getloadavg()[0], time.time()
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output, env=environment, cwd=folder) as process:
        with memory.Sampler(process.pid, executors) as sampler:
            try:
                process.wait(TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.terminate()
                raise ApplicationError(f"{label} took more than {TIMEOUT_S} s; see {log}") from None
    result = folder / "result.json"
    if process.returncode != 0 or not result.exists():
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-40:])
        raise ApplicationError(f"{label} ended with {process.returncode}; the end of {log}:\n{tail}")
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
    jars = [*setup.rivals, *([setup.andiron_jar] if andiron else [])]
    common: dict[str, object] = {
        "spark.ui.enabled": "false",
        "spark.log.level": "WARN",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.local.dir": folder / "local",
        "spark.sql.warehouse.dir": folder / "warehouse",
        "spark.executorEnv.MALLOC_ARENA_MAX": "2",
        "spark.sql.adaptive.enabled": "false",
        "spark.hadoop.fs.slow.impl": "andiron.bench.SlowFileSystem",
        # A partition per file, however small.
        "spark.sql.files.openCostInBytes": "128m",
        "spark.sql.files.maxPartitionBytes": "128m",
    }
    if andiron:
        common["spark.plugins"] = "andiron.AndironPlugin"
    return [
        str(setup.spark_home / "bin" / "spark-submit"), "--master", master, "--driver-memory", heap,
        "--class", "andiron.bench.Bench", "--jars", ",".join(map(str, jars)),
        *(word for key, value in (common | dict(settings)).items() for word in ("--conf", f"{key}={value}")),
        str(setup.bench_jar),
        *(f"{key}={value}" for key, value in (dict(options) | {"scratch": folder / "scratch", "result": folder / "result.json"}).items()),
    ]
