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
from dataclasses import dataclass
from pathlib import Path

from bench import python_bulk
from bench.parameters import choice
from bench.python_render import SECTION
from bench.run import Benchmark
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


BENCHMARK = Benchmark(SECTION, PythonParameters, setup, {part: lambda setup, p, _, part=part: application(setup, p)[part] for part in SECTION.parts}, strict=True)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
