"""Writes the tables and build/demo.json."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

from demo.application import Measured
from demo.approaches import ALL, INFLATED

TITLES = {approach.name: approach.title for approach in (*ALL, *INFLATED)}
HEADS = ("approach", "wall s", "peak RSS MB", "peak PSS MB", "loads", "versions", "held MB", "leases", "digest")


def mb(size: int) -> str:
    return f"{size / 2**20:.0f}"


def cells(m: Measured) -> tuple[str, ...]:
    held = f"{m.max_resident_bytes / 2**20:.1f}"
    return (
        TITLES[m.approach], f"{m.wall_s:.1f}", mb(m.peak_rss_bytes), mb(m.peak_pss_bytes), str(m.loads),
        str(m.max_resident_versions), held, str(m.leases_left), m.digest[:12],
    )


def text(measured: Sequence[Measured]) -> str:
    """The table as text. `versions` and `held MB` are the maxima of versions (or copies) and of their bytes in any one executor."""
    lines = [HEADS, *(cells(m) for m in measured)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEADS))]
    rows = [
        "  ".join(cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in enumerate(zip(line, widths)))
        for line in lines
    ]
    return "\n".join([rows[0], "-" * len(rows[0]), *rows[1:]])


def write_json(path: Path, measured: Sequence[Measured], steps: Sequence[dict[str, object]], facts: dict[str, object]) -> None:
    """Writes a list with one object per row of both tables and one per run of the steps; each object also has the facts of the run."""
    objects = [dataclasses.asdict(m) | facts for m in measured] + [one | facts for one in steps]
    path.write_text(json.dumps(objects, indent=2) + "\n", encoding="utf-8")
