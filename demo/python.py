#!/usr/bin/env python3
"""The main job in Python, on two executors: the digest of demo/flights.py must be the one that `make demo` computes without Spark.

    python3 -m demo.python [SPARK]

after `gradle assemble sparkHome`. Fetches PySpark once. Exit status 1: a different digest, a lease that was not returned, or wrong figures.
"""

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from checks.python.environment import Environment
from harness import spark
from harness.facts import BUILD, ROOT, SPARK

from demo import digest, prepare

TIMEOUT_S = 600


def submit(environment: Environment, work: Path) -> subprocess.CompletedProcess[str]:
    conf = spark.settings(work) | spark.andiron(work) | {
        "spark.executor.memory": "1g", "spark.executorEnv.PYTHONPATH": environment.libraries, "spark.sql.files.openCostInBytes": "128m", "spark.andiron.cache.budgetBytes": "256m"}
    # The cluster has no packages installed: the application brings them.
    package = shutil.make_archive(str(work / "andiron"), "zip", ROOT / "python", "andiron")
    words = spark.submit(environment.home, ROOT / "demo/flights.py", [work / "data", work / "data/versions", work / "features"], conf, "--py-files", package,
                         master="local-cluster[2,2,1024]", jars=[environment.jar()])
    return subprocess.run(words, env=environment.variables() | {"PYTHONPATH": environment.libraries}, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)


def wrong(ended: subprocess.CompletedProcess[str], found: digest.Digest, truth: digest.Digest) -> list[str]:
    """The breaches, one sentence each."""
    problems = [] if found == truth else [f"{found.rows} rows with digest {found.sha256}, not {truth.rows} with {truth.sha256}"]
    for step in ("labels", "features"):
        if f"step: {step} {truth.rows} in, 0 dropped, exact True" not in ended.stdout:
            problems.append(f"step {step} has not counted {truth.rows} rows")
    if not re.search(r"^leases left: 0, loads: [1-9]", ended.stdout, re.MULTILINE):
        problems.append("leases were left, or nothing was loaded")
    return problems


def main() -> int:
    environment = Environment.named(sys.argv[1] if len(sys.argv) > 1 else SPARK)
    environment.fetch()
    work = BUILD / "demo-python"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    truth = prepare.read(work / "data").truth()
    print(f"{truth.rows} flights; digest computed without Spark: {truth.sha256}", flush=True)
    started = time.monotonic()
    ended = submit(environment, work)
    (work / "log.txt").write_text(ended.stdout + ended.stderr)
    if ended.returncode != 0:
        print(f"demo-python: ended with {ended.returncode}; its log is {(work / 'log.txt').relative_to(ROOT)}:\n{ended.stderr[-3000:]}", file=sys.stderr)
        return 1
    print("".join(line + "\n" for line in ended.stdout.splitlines() if line.startswith(("step: ", "leases "))), end="")
    found = digest.of_output(work / "features")
    print(f"PySpark {environment.spark}: {found.rows} rows, digest {found.sha256}, in {time.monotonic() - started:.0f} s with starting Spark")
    problems = wrong(ended, found, truth)
    for problem in problems:
        print(f"demo-python: {problem}", file=sys.stderr)
    if not problems:
        shutil.rmtree(work)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
