"""Tables as text, and build/demo.json."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

from demo.application import ALL, Measured

TITLES = {approach.name: approach.title for approach in ALL}
WIDEST, MOST = 40, 12
Rows = Sequence[dict[str, object]]


def cell(value: object) -> str:
    """A value as the text of a cell: empty for null, numbers with thousands separators, lists with commas."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int):
        return f"{value:,}" if abs(value) < 10**11 else str(value)
    if isinstance(value, float):
        return f"{value:,.6g}"
    text = ", ".join(cell(one) for one in value) if isinstance(value, list) else " ".join(str(value).split())
    return text if len(text) <= WIDEST else text[: WIDEST - 1] + "…"


def table(columns: Sequence[str], rows: Rows, most: int = MOST) -> str:
    """A text table of at most `most` rows, with numbers aligned right and without empty columns."""
    shown = rows[:most]
    columns = [column for column in columns if any(row.get(column) is not None for row in shown)]
    cells = [[cell(row.get(column)) for column in columns] for row in shown]
    right = [all(isinstance(row.get(column), (int, float, type(None))) and not isinstance(row.get(column), bool) for row in shown) for column in columns]
    widths = [max(len(column), *(len(row[at]) for row in cells)) for at, column in enumerate(columns)]
    lines = ["  " + "  ".join(text.rjust(width) if to_right else text.ljust(width) for text, width, to_right in zip(line, widths, right)).rstrip()
             for line in [columns, *cells]]
    more = len(rows) - len(shown)
    return "\n".join(lines + ([f"  … and {more} more"] if more else [])) if rows else "  nothing"


def of_runs(measured: Sequence[Measured]) -> str:
    """The table of the approaches. `versions` and `held MB` are the maxima of versions (or copies) and of their bytes in any one executor."""
    rows = [{
        "approach": TITLES[m.approach], "wall s": round(m.wall_s, 1), "peak RSS MB": round(m.peak_rss_bytes / 2**20), "peak PSS MB": round(m.peak_pss_bytes / 2**20),
        "loads": m.loads, "versions": m.max_resident_versions, "held MB": round(m.max_resident_bytes / 2**20, 1), "leases": m.leases_left, "digest": m.digest[:12],
    } for m in measured]
    return table(list(rows[0]) if rows else [], rows)


def write_json(path: Path, measured: Sequence[Measured], steps: Sequence[dict[str, object]], facts: dict[str, object]) -> None:
    """Writes a list with one object per row of both tables and one per run of the steps; each object also has the facts of the run."""
    objects = [dataclasses.asdict(m) | facts for m in measured] + [one | facts for one in steps]
    path.write_text(json.dumps(objects, indent=2) + "\n", encoding="utf-8")
