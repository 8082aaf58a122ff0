"""Renders docs/evidence/demo.md: page.txt, filled from docs/data/demo.json and, for the whole chain, demo-stack.json and demo-stack.txt.

    python3 demo/page.py            writes the page
    python3 demo/page.py --check    exit status 1 if the page differs from the figures
"""

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TEMPLATE, PAGE = Path(__file__).with_name("page.txt"), ROOT / "docs/evidence/demo.md"
DATA, STACK, STACK_TEXT = (ROOT / "docs/data" / name for name in ("demo.json", "demo-stack.json", "demo-stack.txt"))
TITLES = {
    "baseline": "no metadata (facts in the rows)", "join": "plain Spark join", "sorted-closure": "closure, sorted within partitions",
    "andiron-bytes": "Andiron, sorted within partitions",
}
Run = dict[str, Any]


def ratio(runs: list[Run], figure: str) -> float:
    """The closure's peak above the baseline divided by Andiron's, for the inflated versions."""
    peak = {run["approach"]: run[figure] for run in runs if run["version_mb"]}
    return (peak["sorted-closure"] - peak["baseline"]) / (peak["andiron-bytes"] - peak["baseline"])


def markdown(heads: str, marks: str, rows: list[list[str]]) -> str:
    return "\n".join([f"| {heads} |", f"|{marks}|", *(f"| {' | '.join(row)} |" for row in rows)])


def rows(runs: list[Run]) -> str:
    """A Markdown table of runs."""
    return markdown("approach | wall s | peak PSS MB | loads | most versions at once | leases left | digest", "---|--:|--:|--:|--:|--:|---", [[
        TITLES[run["approach"]], f"{run['wall_s']:.1f}", f"{run['peak_pss_bytes'] / 2**20:.0f}", f"{run['loads']:,}",
        str(run["max_resident_versions"]), str(run["leases_left"]), f"`{run['digest'][:12]}`"] for run in runs])


def step_rows(runs: list[Run]) -> str:
    """A Markdown table of the runs with the gate, one row per step."""
    return markdown("lost | exit code | step | in | out | dropped | ratio | counter | exact", "---|--:|---|--:|--:|--:|--:|---|---", [[
        f"{run['lost_in_million'] / 10_000:g} %", str(run["exit_code"]), name, f"{step['in']:,}", f"{step['out']:,}", f"{step['dropped']:,}",
        f"{100 * step['dropped'] / step['in']:.3g} %", ", ".join(f"{counter} {n:,}" for counter, n in step["counters"].items()),
        "yes" if step["exact"] else "no"] for run in runs for name, step in run["steps"].items()])


def page(everything: list[Run], stack: Run, stack_text: str) -> str:
    runs = [run for run in everything if "digest" in run]
    passing, failing = (run for run in everything if "exit_code" in run)
    inflated = [run for run in runs if run["version_mb"]]
    return TEMPLATE.read_text(encoding="utf-8").format(
        first=runs[0], plain=rows([run for run in runs if not run["version_mb"]]), version_mb=inflated[0]["version_mb"], inflated=rows(inflated),
        ratio_pss=ratio(runs, "peak_pss_bytes"), ratio_rss=ratio(runs, "peak_rss_bytes"), passing=passing, failing=failing,
        steps=step_rows([passing, failing]), stack=stack, printed=stack_text.rstrip())


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
