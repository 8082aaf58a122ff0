"""The parameters of a run: flags, each with an environment variable for its default.

`--version-mb 96` is also `BENCH_VERSION_MB=96`. `--smoke` makes everything small, to check that all parts run.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
from dataclasses import dataclass, field
from typing import Any


def choice(default: Any, help: str) -> Any:
    return field(default=default, metadata={"help": help})


@dataclass(frozen=True)
class Parameters:
    turns: int = choice(3, "how often everything is repeated, A B C .. A B C ..")
    executors: int = choice(1, "executor processes")
    slots: int = choice(4, "task slots of all executors together")
    versions: int = choice(8, "versions")
    version_mb: int = choice(96, "size of a version")
    partitions: int = choice(16, "partitions, each with rows of every version")
    stripes: int = choice(256, "rows of each version in a partition")
    row_bytes: int = choice(1024, "history that a row carries")
    work: int = choice(240_000, "rounds of arithmetic per row")
    tasks_per_version: int = choice(2, "partitions of a version where an approach separates versions")
    seed: int = choice(20200624, "of rows and versions")
    heap: str = choice("3g", "maximum heap of driver and executors")
    jvm: str = choice("-XX:+UseSerialGC -Xmn256m", "the executors' collector; a young generation of fixed size keeps peaks steady")
    approaches: str = choice("", "by name, comma separated; the default is all")
    parts: str = choice("approaches,sweep,talk,rates,kills,micro", "which parts to run")
    sweep_slots: str = choice("2,5,10,20", "slots of the sweep")
    sweep_versions: str = choice("2,6,15", "versions of the sweep, ascending")
    sweep_load_ms: int = choice(100, "sleep that stands for a load in the sweep")
    sweep_row_ms: int = choice(50, "sleep that stands for the rows of one version in one task")
    talk_slots: int = choice(24, "slots of the talk's job")
    talk_versions: int = choice(10, "versions of the talk's job")
    talk_minute_ms: int = choice(60, "how long the talk's minute is: a load takes one")
    talk_row_minutes: float = choice(4.92, "the talk's minutes that the rows of one version take in one of as many tasks as slots")
    rate_mb: int = choice(256, "size of the file whose loading is timed")
    rate_turns: int = choice(5, "turns of loading")
    kills: int = choice(20, "tasks to kill")
    micro_turns: int = choice(3, "processes for each micro-benchmark")
    micro_iterations: int = choice(5, "measurements in each, after as many to warm up")
    micro_ms: int = choice(400, "length of one measurement")
    micro_only: str = choice(".*", "the micro-benchmarks whose names match")
    smoke: bool = choice(False, "everything small, one turn")

    @property
    def version_bytes(self) -> int:
        return self.version_mb << 20


SMOKE: dict[str, Any] = {
    "turns": 1, "versions": 3, "version_mb": 4, "partitions": 4, "stripes": 4, "row_bytes": 64, "work": 2_000,
    "heap": "1g", "jvm": "-XX:+UseSerialGC -Xmn64m", "sweep_slots": "4", "sweep_versions": "2,3", "sweep_load_ms": 20,
    "sweep_row_ms": 10, "talk_slots": 6, "talk_versions": 3, "talk_minute_ms": 10, "rate_mb": 8, "rate_turns": 1, "kills": 2,
    "micro_turns": 1, "micro_iterations": 1, "micro_ms": 100, "micro_only": "advanceToResident$|oneByOne",
    "approaches": "none,oracle,closure-direct,stages,bytes,objects",
}


@dataclass(frozen=True)
class MetricsParameters:
    """The parameters of `make bench-metrics`."""

    turns: int = choice(5, "applications with Andiron and as many without, A B A B")
    tasks: int = choice(10_000, "tasks of a job")
    accumulators: int = choice(10, "named accumulators that every task updates")
    repeats: int = choice(2, "jobs that are measured in each application")
    warm_ups: int = choice(1, "jobs before, or turns of rows")
    listener_turns: int = choice(7, "turns of the stream of task ends, and of the job that all listeners hear")
    queue: int = choice(10_000, "capacity of each listener's queue in the job")
    stream: int = choice(20_000, "task ends that are made beforehand")
    rounds: int = choice(5, "how often they are posted in a turn, each time as another stage")
    rows: int = choice(10_000_000, "rows of a guarded map")
    row_turns: int = choice(7, "turns of rows")
    stages: int = choice(70, "stages of one job")
    stage_accumulators: int = choice(40, "accumulators of that job")
    failing_tasks: int = choice(500, "tasks of the job whose event log is measured")
    failing: int = choice(50, "rows of each that fail")
    memory_tasks: int = choice(100_000, "tasks whose ends Rust keeps")
    memory_accumulators: int = choice(50, "accumulators of each")
    log_records: int = choice(6_400, "records that are appended to the ship log in a turn")
    log_turns: int = choice(15, "turns of appending")
    seed: int = choice(20200624, "written into the figures; what is counted here is not drawn by chance")
    heap: str = choice("2g", "maximum heap of the applications")
    parts: str = choice("listeners,overhead,rows,log,stages,failing,memory", "which parts to run")
    smoke: bool = choice(False, "everything small, few turns")


METRICS_SMOKE: dict[str, Any] = {
    "turns": 1, "tasks": 200, "repeats": 1, "warm_ups": 1, "listener_turns": 2, "stream": 500, "rounds": 2, "rows": 100_000, "row_turns": 2,
    "stages": 12, "stage_accumulators": 4, "failing_tasks": 20, "memory_tasks": 2_000, "log_records": 640, "log_turns": 2, "heap": "1g",
}


def read(words: list[str] | None = None) -> Parameters:
    return _read(words, Parameters, SMOKE, "the cache benchmark")


def read_metrics(words: list[str] | None = None) -> MetricsParameters:
    return _read(words, MetricsParameters, METRICS_SMOKE, "the metrics benchmark")


def _read(words: list[str] | None, into: Any, small: dict[str, Any], description: str) -> Any:
    parser = argparse.ArgumentParser(description=description)
    fields = dataclasses.fields(into)
    for known in fields:
        flag = "--" + known.name.replace("_", "-")
        kind = type(known.default)
        if kind is bool:
            parser.add_argument(flag, action="store_true", default=None, help=known.metadata["help"])
        else:
            parser.add_argument(flag, type=kind, help=f"{known.metadata['help']} (default {known.default!r})")
    given = {name: value for name, value in vars(parser.parse_args(words)).items() if value is not None}
    smoke = given.get("smoke", os.environ.get("BENCH_SMOKE", "") not in ("", "0"))
    chosen = (small | {"smoke": True}) if smoke else {}
    for known in fields:
        variable = os.environ.get("BENCH_" + known.name.upper())
        if variable and known.name != "smoke":
            chosen[known.name] = type(known.default)(variable)
    return into(**(chosen | given))
