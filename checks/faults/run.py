#!/usr/bin/env python3
"""Injects faults into running applications and checks the results and everything that the applications leave behind.

    python3 -m checks.faults.run [--short] [--seeds N] [--only FAULT,...]

Needs `make build` and writes build/faults.json; a full campaign that passes also writes docs/data/faults.json and
docs/evidence/faults.md. --short runs the most important faults once, for `make test`. Environment:
    HARNESS_SPARK_HOME  the Spark to run on
    FAULTS_DISK         `library` uses the preloaded library instead of a tmpfs for the full disk
"""

import argparse
import hashlib
import json
import shutil
import sys
import time

from checks.faults import application, document, leftovers
from checks.faults.groups import GROUPS, Group
from checks.faults.results import Ran, Row, complaints, entries, holds
from harness import facts as tree
from harness import spark
from harness.facts import BUILD, ROOT, Built
from harness.process import tail

WORK = BUILD / "faults"


def run(built: Built, group: Group, faults: tuple[str, ...], seed: int) -> Ran:
    """Runs one application, and after a fatal fault a second one in the same directory."""
    folder = WORK / f"{group.name}-{seed}"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "tmp").mkdir(parents=True)
    ran, planned, more = Ran(), faults, {}
    if group.is_fatal:
        ran.complaints += application.run(built, group, faults, seed, folder)[1]
        more = {"fault": faults[0], "files_left": len(list((folder / "cache").glob("*/*.bytes")))}
        if more["files_left"] == 0 and "kill-application" in faults:
            ran.complaints.append("the killed application has left nothing to sweep")
        (folder / "driver.out").rename(folder / "killed.out")
        planned = ("none",)
    status, unended = application.run(built, group, planned, seed, folder)
    results = spark.records(folder / "results.jsonl")
    ran.results = [result | more if result["fault"] != "end" else result for result in results]
    ran.complaints += unended + complaints(ran)
    missing = len(planned) - sum(result["fault"] in planned for result in results)
    if status != 0 or missing:
        ran.complaints.append(f"the application ended with {status}, {missing} results are missing; the end of its log:\n{tail(folder / 'driver.err', 20)}")
    ran.crashes, wrong = leftovers.inspect(built.home, folder, group.kills)
    ran.complaints += wrong
    return ran


def shown(built: Built, group: Group, faults: tuple[str, ...], seed: int) -> tuple[list[Row], list[str]]:
    begun = time.monotonic()
    ran = run(built, group, faults, seed)
    rows = entries(ran)
    for row in rows:
        print(f"  {row['fault']:28}{row['master']:26}seed {seed}  {'ok' if holds(row) else 'FAILED'}  {row['observed']}", flush=True)
    print(f"{group.name}, seed {seed}: {time.monotonic() - begun:.0f} s, {ran.crashes} crashes, {len(ran.complaints)} complaints", flush=True)
    return rows, [f"{group.name}, seed {seed}: {text}" for text in ran.complaints]


def main() -> int:
    parser = argparse.ArgumentParser(description="faults injected into running applications")
    parser.add_argument("--short", action="store_true", help="the most important faults, once")
    parser.add_argument("--seeds", type=int, default=3, help="how often, each time with another seed")
    parser.add_argument("--only", default="", help="faults or groups by name, comma separated")
    options = parser.parse_args()
    only = set(filter(None, options.only.split(",")))
    try:
        built = Built.located("faults")
    except tree.BuildError as error:
        sys.exit(f"faults: {error}")
    shutil.rmtree(WORK, ignore_errors=True)
    started = time.monotonic()
    rows: list[Row] = []
    wrong: list[str] = []
    for seed in range(1, (1 if options.short else options.seeds) + 1):
        for group in GROUPS:
            faults = group.short if options.short else group.faults
            if only and group.name not in only:
                faults = tuple(fault for fault in faults if fault in only)
            if faults:
                more_rows, more_wrong = shown(built, group, faults, seed)
                rows += more_rows
                wrong += more_wrong
    wrong += [f"does not hold: {row}" for row in rows if not holds(row)]
    facts = {
        "commit": tree.commit() + ("-dirty" if tree.git("status", "--porcelain") else ""), "spark": (built.home / "RELEASE").read_text().strip(), "short": options.short,
        "jar_sha256": hashlib.sha256(built.jar().read_bytes()).hexdigest(), "total_s": round(time.monotonic() - started, 1),
        "complaints": wrong, "faults": rows,
    }
    figures = json.dumps(facts, indent=2) + "\n"
    (BUILD / "faults.json").write_text(figures)
    if not (wrong or only or options.short):
        (ROOT / "docs/data/faults.json").write_text(figures)
        (ROOT / "docs/evidence/faults.md").write_text(document.text(facts))
    for text in wrong:
        print(f"faults: {text}", file=sys.stderr)
    good = sum(holds(row) for row in rows)
    print(f"{len(rows)} faults in {facts['total_s']} s, build/faults.json: "
          f"{good} passed, {len(rows) - good} failed, {len(wrong)} complaints")
    return 1 if wrong or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
