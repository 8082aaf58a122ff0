"""The cache benchmark: `make bench-cache`; see run.py. Needs `make build`."""

from __future__ import annotations

import sys

from bench import cache_measure as measure
from bench.cache_render import SECTION
from bench.parameters import Parameters
from bench.run import Benchmark
from bench.spark_app import Setup

BENCHMARK = Benchmark(SECTION, Parameters, Setup.located, {
    "approaches": measure.approaches, "sweep": measure.sweep, "talk": measure.talk, "rates": measure.rates, "kills": measure.kills, "micro": measure.micro})

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
