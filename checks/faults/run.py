"""Faults injected into running applications: what they came to, and what they left behind.

    checks/faults/run.py [--short] [--seeds N] [--only FAULT,...]

Reads build/ as `make build` leaves it and writes build/faults.json; a full campaign that holds also docs/data/faults.json and
docs/evidence/faults.md. --short runs the most important faults once, for `make test`. Environment:
    FAULTS_SPARK_HOME   the Spark to run on
    FAULTS_DISK         `library` lets no tmpfs be mounted for the full disk
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from checks.faults import application, document, leftovers
from checks.faults.application import Setup
from checks.faults.groups import GROUPS, Group
from checks.faults.results import Ran, Row, complaints, entries, holds

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
WORK = BUILD / "faults"


def locate() -> Setup:
    home = Path(os.environ.get("FAULTS_SPARK_HOME") or next(iter(sorted(BUILD.glob("spark-3.5*_2.13"))), BUILD / "spark"))
    if not (home / "bin/spark-submit").exists():
        sys.exit(f"faults: no Spark in {home}: run `make build`, or set FAULTS_SPARK_HOME")
    scala = next(home.glob("jars/spark-core_*.jar")).name.split("_")[1].split("-")[0]
    libs = BUILD / f"scala-{scala}/libs"
    jars = [jar for jar in libs.glob(f"andiron_{scala}-*.jar") if not jar.stem.endswith("-sources")]
    programs = list(libs.glob(f"andiron-faults_{scala}-*.jar"))
    if len(jars) != 1 or len(programs) != 1:
        sys.exit(f"faults: {libs} has {len(jars)} jars of Andiron and {len(programs)} of andiron-faults: run `make build`")
    return Setup(home.absolute(), jars[0].absolute(), programs[0].absolute())


def run(setup: Setup, group: Group, faults: tuple[str, ...], seed: int) -> Ran:
    """One application, and after a fatal fault another in the same directory."""
    folder = WORK / f"{group.name}-{seed}"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "tmp").mkdir(parents=True)
    ran, planned, more = Ran(), faults, {}
    if group.is_fatal:
        ran.complaints += application.run(setup, group, faults, seed, folder).complaints
        more = {"fault": faults[0], "files_left": len(list((folder / "cache").glob("*/*.bytes")))}
        if more["files_left"] == 0 and "kill-application" in faults:
            ran.complaints.append("the killed application has left nothing to sweep")
        (folder / "driver.out").rename(folder / "killed.out")
        planned = ("none",)
    ended = application.run(setup, group, planned, seed, folder)
    file = folder / "results.jsonl"
    results = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    ran.results = [result | more if result["fault"] != "end" else result for result in results]
    ran.complaints += ended.complaints + complaints(ran)
    missing = len(planned) - sum(result["fault"] in planned for result in results)
    if ended.status != 0 or missing:
        tail = "\n".join((folder / "driver.err").read_text(errors="replace").splitlines()[-20:])
        ran.complaints.append(f"the application ended with {ended.status}, {missing} results are missing; the end of its log:\n{tail}")
    ran.crashes, wrong = leftovers.inspect(setup.spark_home, folder, group.kills)
    ran.complaints += wrong
    return ran


def shown(setup: Setup, group: Group, faults: tuple[str, ...], seed: int) -> tuple[list[Row], list[str]]:
    begun = time.monotonic()
    ran = run(setup, group, faults, seed)
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
    setup = locate()
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
                more_rows, more_wrong = shown(setup, group, faults, seed)
                rows += more_rows
                wrong += more_wrong
    wrong += [f"does not hold: {row}" for row in rows if not holds(row)]
    facts = {
        "commit": commit(), "spark": (setup.spark_home / "RELEASE").read_text().strip(), "short": options.short,
        "jar_sha256": hashlib.sha256(setup.andiron.read_bytes()).hexdigest(), "total_s": round(time.monotonic() - started, 1),
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


def commit() -> str:
    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()

    return (git("rev-parse", "HEAD") or "unknown") + ("-dirty" if git("status", "--porcelain") else "")


if __name__ == "__main__":
    sys.exit(main())
