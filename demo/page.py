"""Renders docs/evidence/demo.md from docs/data/demo.json and, for the whole chain, demo-stack.json and demo-stack.txt in the same folder.

    python3 demo/page.py            writes the page
    python3 demo/page.py --check    exit status 1 if the page differs from the figures
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "docs/data/demo.json"
STACK, STACK_TEXT = ROOT / "docs/data/demo-stack.json", ROOT / "docs/data/demo-stack.txt"
PAGE = ROOT / "docs/evidence/demo.md"
TITLES = {
    "baseline": "no metadata (facts in the rows)", "join": "plain Spark join", "sorted-closure": "closure, sorted within partitions",
    "andiron-bytes": "Andiron, sorted within partitions",
}
Run = dict[str, Any]


def ratio(runs: list[Run], figure: str) -> float:
    """The closure's peak above the baseline divided by Andiron's, for the inflated versions."""
    peak = {run["approach"]: run[figure] for run in runs if run["version_mb"]}
    return (peak["sorted-closure"] - peak["baseline"]) / (peak["andiron-bytes"] - peak["baseline"])


def rows(runs: list[Run]) -> str:
    """A Markdown table of runs."""
    lines = ["| approach | wall s | peak PSS MB | loads | most versions at once | leases left | digest |", "|---|--:|--:|--:|--:|--:|---|"]
    for run in runs:
        cells = (
            TITLES[run["approach"]], f"{run['wall_s']:.1f}", f"{run['peak_pss_bytes'] / 2**20:.0f}", f"{run['loads']:,}",
            str(run["max_resident_versions"]), str(run["leases_left"]), f"`{run['digest'][:12]}`")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def step_rows(runs: list[Run]) -> str:
    """A Markdown table of the runs with the gate, one row per step."""
    lines = ["| lost | exit code | step | in | out | dropped | ratio | counter | exact |", "|---|--:|---|--:|--:|--:|--:|---|---|"]
    for run in runs:
        for name, step in run["steps"].items():
            own = ", ".join(f"{counter} {n:,}" for counter, n in step["counters"].items())
            ratio = f"{100 * step['dropped'] / step['in']:.3g} %"
            cells = (
                f"{run['lost_in_million'] / 10_000:g} %", str(run["exit_code"]), name, f"{step['in']:,}", f"{step['out']:,}",
                f"{step['dropped']:,}", ratio, own, "yes" if step["exact"] else "no")
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def chain(run: Run, text: str) -> str:
    """The section on `make demo-stack`: description and output."""
    killed, hive = run["killed"], run["hive"]
    return f"""## The whole chain

`make demo-stack` starts a Kafka broker, a Hive metastore and an Atlas on loopback, each in a process of its own, and
runs the steps above with 0.1 % lost on `local-cluster[2,1,2048]`, shipping to Kafka and publishing to Atlas. Once Kafka
has the first event, the broker is killed. When labels has counted all rows, between the job's two stages, the driver is
killed with kill -9; its log then had {killed["owed"]:,} events that Kafka had not. The broker comes back, and the same
run is started again as a new application with the same `spark.andiron.run.id`. The new application ships the events
that the first had left, and its table has the digest of an undisturbed run. `andiron.hive.Ingest` takes all events from
Kafka into Hive, where each of {hive["event_ids"]:,} event ids stands once and the counts are those that Python
computes; then SQL and Atlas are queried. The job fails unless every check holds, and it ends all processes that it has
started, even when it is interrupted:

```text
{text.rstrip()}
```

Spark {run["spark"]}, commit `{run["commit"][:12]}`, {run["seconds"]:.0f} s; the figures are in
[docs/data/demo-stack.json](../data/demo-stack.json). Kafka's line of the graph `behind` is the number of events that
the driver owed while the broker was away.
"""


def page(everything: list[Run], stack: Run, stack_text: str) -> str:
    runs = [run for run in everything if "digest" in run]
    passing, failing = (run for run in everything if "exit_code" in run)
    plain = [run for run in runs if not run["version_mb"]]
    inflated = [run for run in runs if run["version_mb"]]
    return f"""# The demo

`make demo` computes the delay features of the {runs[0]["rows"]:,} flights that left New York in 2013, by a plain join,
by a closure and by Andiron. The metadata of a flight is a month's weather, the planes seen until then and the airports;
it has twelve versions, and each of the 16 partitions holds flights of all. Each approach is an application of its own
on `local-cluster[2,2,2048]`; the digest is that of the sorted features, and Python computes it once more without Spark.
Loads and peaks are those of both executors together; the most versions at once are those of one. The other approaches
of the talk that the [README](../../README.md) names (an unsorted closure, a repartition by version, one stage per
version) and Andiron's objects are part of the [benchmark](benchmarks.md) only.

Versions of their original size, with room for all:

{rows(plain)}

Versions of {inflated[0]["version_mb"]} MB, and a budget of one version per executor:

{rows(inflated)}

The closure's peak over the baseline is {ratio(runs, "peak_pss_bytes"):.2f} x Andiron's in PSS and {ratio(runs, "peak_rss_bytes"):.2f} x in RSS.
The job fails if this ratio falls under 1.8, if digests differ, or if a lease is left.

## Steps and a gate

The demo then computes the same features in three steps, labels, history and features, with a gate of 1 % on history.
The cache behind history has lost some flights, chosen by a hash of their number; for these the step's function throws.
The features go to a Parquet table, partitioned by version: the first run writes it, the second overwrites it.

{step_rows([passing, failing])}

The first run passes, and all {passing["samples_listed"]:,} of its failed rows are listed. The second fails at the gate:
its driver ends with exit code {failing["exit_code"]}, which `make demo` expects, and {failing["samples_listed"]:,} of
{failing["rows_failed"]:,} failed rows are listed. It leaves no `_SUCCESS` and no file; every file of the table has the
bytes and the time of the first run, and Spark without Andiron reads from it the digest that Python computes of the
flights that were not lost. The figures are those that `build/bin/andiron report` prints; the job fails if one of them
differs from Python's count. `make demo` ends with both reports and the paths of their pages; the second page is the one
in [report.md](../guide/report.md).

Spark {runs[0]["spark_version"]}, commit `{runs[0]["commit"][:12]}`, {runs[0]["total_s"]:.0f} s in all. Times depend on
the machine's other load; the raw figures are in [docs/data/demo.json](../data/demo.json), and a test holds this page to
them.

{chain(stack, stack_text)}"""


def rendered() -> str:
    """The page, rendered from the data."""
    return page(json.loads(DATA.read_text(encoding="utf-8")), json.loads(STACK.read_text(encoding="utf-8")), STACK_TEXT.read_text(encoding="utf-8"))


def main() -> int:
    if "--check" in sys.argv[1:]:
        return 0 if PAGE.read_text(encoding="utf-8") == rendered() else 1
    PAGE.write_text(rendered(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
