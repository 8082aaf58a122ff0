"""The metrics benchmark: `make bench-metrics`; see run.py. Needs `gradle -PscalaVersion=2.12 assemble benchJar sparkHome`."""

from __future__ import annotations

import sys

from bench.metrics_measure import PARTS
from bench.metrics_render import SECTION
from bench.parameters import MetricsParameters
from bench.run import Benchmark
from bench.spark_app import Setup

BENCHMARK = Benchmark(SECTION, MetricsParameters, lambda work: Setup.located(work, scala="2.12"), PARTS)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
