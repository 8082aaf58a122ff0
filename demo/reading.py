"""Parses a text report of Andiron by its headings and columns."""

import re
from dataclasses import dataclass, field


class ReportError(Exception):
    """The text is not a report of `andiron report`."""


@dataclass(frozen=True)
class StepRow:
    """A step's row in the table of steps, with the step's user counters below it."""

    rows_in: int
    rows_out: int
    dropped: int
    ratio: str
    exact: bool
    own: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """`outcome` is the outcome in the title: PASSED, ENDED AT ITS GATE, ... `sampled` has kept and failed rows by step."""

    outcome: str
    steps: dict[str, StepRow]
    sampled: dict[str, tuple[int, int]]
    gates: list[str]


def section(text: str, heading: str) -> list[str]:
    """The lines below a heading, up to the next empty line."""
    found = re.findall(rf"^{re.escape(heading)}\n((?:.+\n?)*)", text, re.MULTILINE)
    if len(found) != 1:
        raise ReportError(f"{len(found)} headings {heading!r} in the report:\n{text}")
    return found[0].splitlines()


def number(text: str) -> int:
    return int(text.replace(",", ""))


def steps(text: str) -> dict[str, StepRow]:
    found: dict[str, StepRow] = {}
    last = ""
    for line in section(text, "Steps, in execution order")[1:]:
        cells = re.split(r"\s{2,}", line.strip())
        if line.startswith("    "):
            found[last].own[cells[0]] = number(cells[1])
        elif len(cells) >= 6:
            last = cells[0]
            exact = next(cell for cell in cells[5:] if cell in ("yes", "no"))
            found[last] = StepRow(number(cells[1]), number(cells[2]), number(cells[3]), cells[4], exact == "yes")
    return found


def report(text: str) -> Report:
    sampled = {
        match[1]: (number(match[2]), number(match[3]))
        for line in section(text, "Failed rows")
        if (match := re.match(r"^  (\S+): ([\d,]+) of ([\d,]+) failed rows? sampled", line))
    }
    gates = [line for line in section(text, "Gates") if re.match(r"^  (passed|FAILED) ", line)]
    return Report(text.splitlines()[0].split("  ")[-1], steps(text), sampled, gates)
