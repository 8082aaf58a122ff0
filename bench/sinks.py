"""The cost and the losses of shipping: `make bench-sinks`; see run.py.

Measures the sink's rate against a bare producer; jobs whose broker works, is absent or silent; the size of the library; a million revisions into Hive
while broker and drivers are killed; and the cost of publishing to an Atlas (atlas.py). Servers run on loopback. Needs the files that `make bench-sinks` builds.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

from bench import atlas
from bench import sinks_measure as measure
from bench.parameters import choice
from bench.run import Benchmark
from bench.sinks_render import SECTION
from bench.spark_app import Setup
from checks.services import revisions
from harness.facts import Built


@dataclass(frozen=True)
class SinksParameters:
    turns: int = choice(5, "turns of the jobs")
    rounds: int = choice(60, "timed rounds of a job")
    steps: int = choice(45, "steps whose series are published to Atlas")
    seconds: int = choice(60, "length of that application")
    series: int = choice(200, "the most series that are published at once")
    step_s: int = choice(1, "seconds between two of its publications")


BENCHMARK = Benchmark(
    SECTION, SinksParameters, lambda work: Setup(Built.of(), work),
    {"rate": measure.rate, "jobs": measure.jobs, "library": measure.library, "revisions": lambda setup, p, say: [revisions.run()],
     "atlas": atlas.measure},
    {"seed": revisions.SEED}, strict=True)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
