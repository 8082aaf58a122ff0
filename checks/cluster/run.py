#!/usr/bin/env python3
"""Checks of Andiron on real clusters on this machine: a standalone master with two workers, and `local-cluster`.

    python3 -m checks.cluster.run [--short] [--on SCALA:SPARK ...] [--kills N] [--seed N] [CHECK ...]

Builds its programs with Gradle and runs all checks on each Spark, by default on that of gradle.properties. --short runs the quickest check,
for `make test`. Writes build/cluster.json. Exit status 1 and one line for each failed check.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from checks.cluster import checks
from checks.cluster.application import Setup
from harness.facts import BUILD, SCALA, SPARK, Built, gradle
from harness.spark import Record, observed

KILLS, SHORT_KILLS, OWN_KILLS = 20, 1, 2


def built(scala: str, spark: str, work: Path) -> Setup:
    """The setup for a Scala and a Spark, built by Gradle."""
    gradle("jar", "dist", "clusterJar", "sparkHome", scala=scala, spark=spark)
    return Setup(Built.of(spark, scala), work)


def chosen(options: argparse.Namespace) -> dict[str, Callable[[Setup], Record]]:
    count = SHORT_KILLS if options.short else options.kills
    found = dict(checks.CHECKS) | {
        "kill-executors": lambda setup: checks.kills(setup, options.seed, count - count // 2, workers=False),
        "kill-workers": lambda setup: checks.kills(setup, options.seed, count // 2, workers=True),
        "kill-own-executors": lambda setup: checks.kills(setup, options.seed, OWN_KILLS, workers=False, own=True),
        "kill-own-workers": lambda setup: checks.kills(setup, options.seed, OWN_KILLS, workers=True, own=True),
    }
    names = options.checks or (["packages", "kill-executors"] if options.short else list(found))
    unknown = [name for name in names if name not in found]
    if unknown:
        sys.exit(f"cluster: no check {', '.join(unknown)}; there are {', '.join(found)}")
    return {name: found[name] for name in names}


def main() -> int:
    parser = argparse.ArgumentParser(description="Andiron on clusters of this machine")
    parser.add_argument("--short", action="store_true", help="the quickest checks, once")
    parser.add_argument("--on", nargs="+", default=[f"{SCALA}:{SPARK}"], help="which Scala and Spark, as 2.13:4.1.3")
    parser.add_argument("--kills", type=int, default=KILLS, help="how often an executor or a worker is killed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("checks", nargs="*")
    options = parser.parse_args()
    rows: list[Record] = []
    for line in options.on:
        scala, spark = line.split(":")
        work = BUILD / "cluster" / f"{spark}_{scala}"
        shutil.rmtree(work, ignore_errors=True)
        setup = built(scala, spark, work)
        for name, check in chosen(options).items():
            rows.append(ran(name, check, setup, scala, spark))
    (BUILD / "cluster.json").write_text(json.dumps(rows, indent=1) + "\n")
    bad = [row for row in rows if "error" in row]
    for row in bad:
        print(f"cluster: {row['check']} on Spark {row['spark']}, Scala {row['scala']}: {row['error']}", file=sys.stderr)
    print(f"{len(rows)} checks on clusters: {len(rows) - len(bad)} passed, {len(bad)} failed")
    return 1 if bad or not rows else 0


def ran(name: str, check: Callable[[Setup], Record], setup: Setup, scala: str, spark: str) -> Record:
    row: Record = {"check": name, "scala": scala, "spark": spark} | observed(lambda: check(setup))
    shown = {key: value for key, value in row.items() if key not in ("check", "scala", "spark", "moments", "error")}
    print(f"  {name:20}Spark {spark}, Scala {scala}  {'FAILED' if 'error' in row else 'ok'}  {shown}", flush=True)
    return row


if __name__ == "__main__":
    sys.exit(main())
