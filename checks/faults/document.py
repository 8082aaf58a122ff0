"""Renders docs/evidence/faults.md: page.txt, filled from the figures of a full campaign."""

import re
from pathlib import Path

from checks.faults.results import Row

TEMPLATE = Path(__file__).with_name("page.txt").read_text()
MEANING = dict(re.findall(r"^- `([\w-]+)`: (.*)\.$", TEMPLATE, re.MULTILINE))
"""The meaning of each fault, from the list in the template."""


def where(row: Row) -> str:
    return "two hosts" if str(row["master"]).startswith("spark://") else str(row["master"])


def table(rows: list[Row]) -> list[str]:
    lines = ["| fault | on | runs | right | leases left | over budget | crashes |", "|---|---|---|---|---|---|---|"]
    for key in dict.fromkeys((row["fault"], where(row)) for row in rows):
        mine = [row for row in rows if (row["fault"], where(row)) == key]
        right = sum(bool(row["digests_equal"]) for row in mine)
        lines.append(
            f"| `{key[0]}` | `{key[1]}` | {sum(row['runs'] for row in mine)} | {right} of {len(mine)} | {sum(row['leases_left'] for row in mine)} "
            f"| {max(row['max_over_budget'] for row in mine)} | {max(row['crashes'] for row in mine)} |")
    return lines


def text(facts: dict[str, object]) -> str:
    rows: list[Row] = facts["faults"]
    stops = [row["observed"]["slowest_stop_ms"] for row in rows if row["fault"].startswith("cancel-waiting") and "slowest_stop_ms" in row["observed"]]
    return TEMPLATE.format(
        spark=facts["spark"], commit=facts["commit"], seeds=len({row["seed"] for row in rows}), total_s=facts["total_s"], count=len(rows),
        complaints=len(facts["complaints"]), slowest_stop=max(stops, default=0), refused=sum(row["observed"].get("released_exceptions", 0) for row in rows),
        table="\n".join(table(rows)))
