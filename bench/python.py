"""The gain of Python workers: `python3 -m bench.python [--publish] [--turns N]`, after `gradle assemble sparkHome`.

Measures a million records in random order from a resident version against a broadcast dict, in batches and at once; the time of a worker
before its first bytes; and the memory that four workers add when they read one version of 1 GB. Writes build/bench-python.json;
`--publish` copies the file to docs/data and renders its part of docs/evidence/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from bench import machine, python_render
from bench.render import figure_table, plain
from bench.section import write
from checks.python.environment import Environment
from harness.facts import BUILD, ROOT, is_set


def main() -> int:
    parser = argparse.ArgumentParser(description="what Python workers gain")
    parser.add_argument("--publish", action="store_true", default=is_set("BENCH_PUBLISH"))
    parser.add_argument("--turns", type=int, default=7)
    options = parser.parse_args()
    environment = Environment.of()
    environment.fetch()
    work, started = BUILD / "bench-python", time.time()
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    load = Path("/proc/loadavg").read_text().split()[0]
    variables = environment.variables()
    # Workers import bench.python_bulk.
    variables["PYTHONPATH"] += os.pathsep + os.pathsep.join((str(ROOT), str(ROOT / "checks/python")))
    variables |= {"ANDIRON_JAR": str(environment.jar()), "PYSPARK_SUBMIT_ARGS": "--driver-memory 2g pyspark-shell"}
    words = [sys.executable, "-m", "bench.python_job", work / "result.json", work, str(options.turns)]
    ended = subprocess.run(list(map(str, words)), env=variables, check=False)
    if ended.returncode != 0:
        print(f"bench-python: the application ended with {ended.returncode}", file=sys.stderr)
        return 1
    told = json.loads((work / "result.json").read_text())
    shutil.rmtree(work)
    content = machine.facts(environment.jar()) | told | {
        "parameters": {"turns": options.turns, **python_render.PARAMETERS}, "started": round(started), "total_s": round(time.time() - started, 1),
        "load_average": float(load)}
    content["figures"] = python_render.figures(content)
    write(BUILD / "bench-python.json", content)
    print(plain(*figure_table(content["figures"])))
    if options.publish:
        python_render.SECTION.publish(ROOT, content)
    return 0 if all(figure["reached"] for figure in content["figures"]) and not python_render.wrong(content) else 1


if __name__ == "__main__":
    sys.exit(main())
