"""Tables from raw figures, and the generated blocks of docs/evidence/benchmarks.md.

The prose of the page is written by hand; programs render the blocks between `<!-- begin NAME -->` and `<!-- end NAME -->`.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from pathlib import Path

from bench.figures import Record

PAGE = Path("docs/evidence/benchmarks.md")
DATA = Path("docs/data")
PICTURES = Path("docs/images")
WIDTH = 120  # characters per line of the page's prose
Table = tuple[Sequence[str], list[Sequence[str]]]
"""The heads of the columns, and the cells of each row."""


def figure_table(found: list[Record]) -> Table:
    return ("figure", "measured", "aimed at", "", "note"), [
        (f["title"], _number(f["value"], f["unit"]), f"{'≤' if f['sense'] == '<=' else '≥'} {_number(f['limit'], f['unit'])}",
         "reached" if f["reached"] else "**missed**", f["note"]) for f in found]


def _number(value: float, unit: str) -> str:
    text = f"{value:.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"
    return f"{text} {unit}".strip()


def plain(heads: Sequence[str], rows: list[Sequence[str]]) -> str:
    all_rows = [heads, *rows]
    widths = [max(len(row[i]) for row in all_rows) for i in range(len(heads))]
    return "\n".join("  ".join(cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in enumerate(zip(row, widths, strict=True))).rstrip()
                     for row in all_rows)


def markdown(heads: Sequence[str], rows: list[Sequence[str]]) -> str:
    return "\n".join(["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads), *("| " + " | ".join(row) + " |" for row in rows)])


def wrapped(text: str) -> str:
    """Prose wrapped to the page's width; existing line breaks are kept."""
    return "\n".join(textwrap.fill(line, WIDTH, break_long_words=False, break_on_hyphens=False) for line in text.splitlines())


def commit(run: Record) -> str:
    return f"`{run['commit'][:12]}`{' with uncommitted changes' if run['uncommitted'] else ''}"


def commits(content: Record) -> str:
    """The commit of the run, or the commit of each part if they differ."""
    by: dict[str, list[str]] = {}
    for part, run in sorted(content.get("runs", {"": content}).items()):
        by.setdefault(commit(run), []).append(part)
    if len(by) == 1:
        return f"Commit {next(iter(by))}"
    return "Commits " + ", ".join(f"{one} ({', '.join(parts)})" for one, parts in by.items())


def spark(content: Record) -> str:
    """The versions of Spark and Scala, and the machine."""
    return f"Spark {content['spark']}, Scala {content['scala']}, {hardware(content)}"


def hardware(content: Record) -> str:
    at = content["machine"]
    return f"{at['java']}; {at['cores']} cores ({at['cpu']}), {at['memory_kb'] / 2**20:.0f} GB, Linux {at['kernel']}"


def jar(content: Record) -> str:
    return f"Jar: `{content['jar']}`, SHA-256 `{content['jar_sha256'][:16]}`."


def loads(content: Record, without: str = "") -> list[float]:
    """The load averages at the start of the applications and parts, except those of one part."""
    return [record["load_average"] for part, records in content["raw"].items() if part != without for record in records if "load_average" in record]


def blocks_differ(root: Path, parts: dict[str, str]) -> list[str]:
    """One sentence for each block of the page that differs from `parts`."""
    page = (root / PAGE).read_text(encoding="utf-8")
    return [f"the part {name} of {PAGE} is not the table of these figures" for name, part in parts.items()
            if f"<!-- begin {name} -->\n{part}\n<!-- end {name} -->" not in page]


def filled(page: str, parts: dict[str, str]) -> str:
    """The page with the blocks of one benchmark replaced: those that have the prefix of `parts`, such as `sinks-`. Raises if the page lacks a
    block or has a block that is not in `parts`."""
    prefix = next(iter(parts)).partition("-")[0]
    names = re.findall(rf"<!-- begin ({prefix}-\S+) -->", page)
    if sorted(names) != sorted(parts):
        raise ValueError(f"the page has the parts {sorted(names)}, not {sorted(parts)}")
    for name, part in parts.items():
        page, count = re.subn(rf"(<!-- begin {name} -->\n).*?(\n<!-- end {name} -->)", lambda m: m[1] + part + m[2], page, flags=re.DOTALL)
        if count != 1:
            raise ValueError(f"the page's part {name} does not end")
    return page
