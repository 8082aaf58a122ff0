#!/usr/bin/env python3
"""The checks of the Python package with real PySpark, on each named Spark (on all pinned ones by default).

    python3 -m checks.python.run [[SCALA:]SPARK ...] [-k PATTERN]

Builds the jar and the Spark home with Gradle, and fetches each PySpark (317 to 456 MB) once.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from checks.python.environment import Environment
from harness.facts import ROOT, gradle

HERE = Path(__file__).resolve().parent
PINNED = sorted(file.stem.partition("-")[2] for file in HERE.glob("pyspark-*.txt"))


def main() -> int:
    parser = argparse.ArgumentParser(description="the checks of the Python package")
    parser.add_argument("spark", nargs="*", default=PINNED)
    parser.add_argument("-k", dest="patterns", action="append", default=[], help="run what matches only")
    options = parser.parse_args()
    failed = []
    for spark in options.spark:
        environment = Environment.named(spark)
        try:
            gradle("assemble", "dist", "sparkHome", scala=environment.scala, spark=environment.spark)
            environment.fetch()
        except (subprocess.CalledProcessError, OSError) as error:
            print(f"test-python: PySpark {spark} cannot be built or fetched: {error}", file=sys.stderr, flush=True)
            failed.append(spark)
            continue
        print(f"\n==== PySpark {spark}", flush=True)
        command = [sys.executable, "-W", "ignore::ResourceWarning", "-m", "unittest", "discover", "-v", "-s", HERE, *(word for pattern in options.patterns for word in ("-k", pattern))]
        variables = environment.variables() | {"ANDIRON_JAR": str(environment.jar()), "ANDIRON_SPARK": spark}
        variables["PYTHONPATH"] += f"{os.pathsep}{ROOT}{os.pathsep}{HERE}"
        if subprocess.run(command, env=variables, cwd=HERE, check=False).returncode:
            failed.append(spark)
    print(f"test-python: failed on {', '.join(failed)}" if failed else f"test-python: passed on {', '.join(options.spark)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
