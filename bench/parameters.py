"""The parameters of a run: flags, each with an environment variable for its default.

`--version-mb 96` is also `BENCH_VERSION_MB=96`. `--smoke` makes everything small, to check that all parts run.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.facts import is_set

SEED = 20200624


def choice(default: Any, help: str, smoke: Any = None) -> Any:
    """A flag with its default, and the default of a run that makes everything small. Fields without a flag are constants of the run."""
    return field(default=default, metadata={"help": help, "smoke": smoke})


@dataclass(frozen=True)
class Parameters:
    """The parameters of `make bench-cache`."""

    turns: int = choice(3, "how often everything is repeated, A B C .. A B C ..", 1)
    executors: int = choice(1, "executor processes")
    slots: int = choice(4, "task slots of all executors together")
    versions: int = choice(8, "versions", 3)
    version_mb: int = choice(96, "size of a version", 4)
    partitions: int = choice(16, "partitions, each with rows of every version", 4)
    stripes: int = choice(256, "rows of each version in a partition", 4)
    row_bytes: int = choice(1024, "history that a row carries", 64)
    work: int = choice(240_000, "rounds of arithmetic per row", 2_000)
    tasks_per_version: int = choice(2, "partitions of a version where an approach separates versions")
    seed: int = choice(SEED, "of rows and versions")
    heap: str = choice("3g", "maximum heap of driver and executors", "1g")
    jvm: str = choice("-XX:+UseSerialGC -Xmn256m", "the executors' collector; a young generation of fixed size keeps peaks steady", "-XX:+UseSerialGC -Xmn64m")
    approaches: str = choice("", "by name, comma separated; the default is all", "none,oracle,closure-direct,stages,bytes,objects")
    sweep_slots: str = choice("2,5,10,20", "slots of the sweep", "4")
    sweep_versions: str = choice("2,6,15", "versions of the sweep, ascending", "2,3")
    sweep_load_ms: int = choice(100, "sleep that stands for a load in the sweep", 20)
    sweep_row_ms: int = choice(50, "sleep that stands for the rows of one version in one task", 10)
    talk_slots: int = choice(24, "slots of the talk's job", 6)
    talk_versions: int = choice(10, "versions of the talk's job", 3)
    talk_minute_ms: int = choice(60, "how long the talk's minute is: a load takes one", 10)
    talk_row_minutes: float = choice(4.92, "the talk's minutes that the rows of one version take in one of as many tasks as slots")
    rate_mb: int = choice(256, "size of the file whose loading is timed", 8)
    rate_turns: int = choice(5, "turns of loading", 1)
    kills: int = choice(20, "tasks to kill", 2)
    micro_turns: int = choice(3, "processes for each micro-benchmark", 1)
    micro_iterations: int = choice(5, "measurements in each, after as many to warm up", 1)
    micro_ms: int = choice(400, "length of one measurement", 100)
    micro_only: str = choice(".*", "the micro-benchmarks whose names match", "advanceToResident$|oneByOne")
    smoke: bool = choice(False, "everything small, one turn")

    @property
    def version_bytes(self) -> int:
        return self.version_mb << 20


@dataclass(frozen=True)
class MetricsParameters:
    """The parameters of `make bench-metrics`."""

    turns: int = choice(5, "applications with Andiron and as many without, A B A B", 1)
    tasks: int = choice(10_000, "tasks of a job", 200)
    accumulators: int = choice(10, "named accumulators that every task updates")
    repeats: int = choice(2, "jobs that are measured in each application", 1)
    warm_ups: int = choice(1, "jobs before, or turns of rows")
    listener_turns: int = choice(7, "turns of the stream of task ends, and of the job that all listeners hear", 2)
    queue: int = choice(10_000, "capacity of each listener's queue in the job")
    stream: int = choice(20_000, "task ends that are made beforehand", 500)
    rounds: int = choice(5, "how often they are posted in a turn, each time as another stage", 2)
    rows: int = choice(10_000_000, "rows of a guarded map", 100_000)
    row_turns: int = choice(7, "turns of rows", 2)
    stages: int = choice(70, "stages of one job", 12)
    stage_accumulators: int = choice(40, "accumulators of that job", 4)
    failing_tasks: int = choice(500, "tasks of the job whose event log is measured", 20)
    failing: int = choice(50, "rows of each that fail")
    memory_tasks: int = choice(100_000, "tasks whose ends Rust keeps", 2_000)
    memory_accumulators: int = choice(50, "accumulators of each")
    log_records: int = choice(6_400, "records that are appended to the ship log in a turn", 640)
    log_turns: int = choice(15, "turns of appending", 2)
    seed: int = choice(SEED, "written into the figures; what is counted here is not drawn by chance")
    heap: str = choice("2g", "maximum heap of the applications", "1g")
    smoke: bool = choice(False, "everything small, few turns")


@dataclass(frozen=True)
class TableParameters:
    """The parameters of `make bench-tables`."""

    turns: int = choice(3, "how often everything is repeated, A B C .. A B C ..", 1)
    rows: int = choice(15_000_000, "rows that name a version", 100_000)
    keys: int = choice(1_000_000, "keys of the table", 5_000)
    versions: int = choice(10, "versions of the table", 3)
    churn: int = choice(100, "one key in as many changes in each version")
    core_keys: int = choice(2_000_000, "keys of the core's benchmark", 20_000)
    seed: int = choice(SEED, "written into the figures; the content is a function of keys and versions")
    heap: str = choice("4g", "maximum heap of the applications", "1g")
    smoke: bool = choice(False, "everything small, one turn")


def read(into: Any, parts: Iterable[str] = (), words: Sequence[str] | None = None) -> tuple[Any, list[str], bool]:
    """The parameters, the chosen parts, and whether the figures are published."""
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(parts)}; the default is all")
    parser.add_argument("--publish", action="store_true", default=is_set("BENCH_PUBLISH"), help="write docs/data and render docs/evidence/benchmarks.md")
    fields = [known for known in dataclasses.fields(into) if known.metadata]
    for known in fields:
        flag, kind = "--" + known.name.replace("_", "-"), type(known.default)
        if kind is bool:
            parser.add_argument(flag, action="store_true", default=None, help=known.metadata["help"])
        else:
            parser.add_argument(flag, type=kind, help=f"{known.metadata['help']} (default {known.default!r})")
    given = vars(parser.parse_args(words))
    chosen, publish = given.pop("parts") or list(parts), given.pop("publish")
    if unknown := [part for part in chosen if part not in parts]:
        parser.error(f"no part {', '.join(unknown)}; there are {', '.join(parts)}")
    given = {name: value for name, value in given.items() if value is not None}
    smoke = given.get("smoke", is_set("BENCH_SMOKE"))
    small = {known.name: known.metadata["smoke"] for known in fields if known.metadata["smoke"] is not None} | {"smoke": True}
    variables = {known.name: type(known.default)(os.environ[variable]) for known in fields
                 if known.name != "smoke" and os.environ.get(variable := "BENCH_" + known.name.upper())}
    return into(**((small if smoke else {}) | variables | given)), chosen, publish
