"""Hive in `make demo-stack`: the queries of docs/operations/queries.sql with their answers as text."""

from __future__ import annotations

from checks.services.hive import Answer
from harness.spark import require

DATABASE = "andiron"
EVERY_EVENT = "SELECT app_id, event_id, revision FROM ${database}.events"
WIDEST, MOST = 40, 12


def questions(text: str) -> list[tuple[str, str]]:
    """The statements of docs/operations/queries.sql, each with the comment before it."""
    found = []
    for block in text.split("\n\n"):
        lines = block.strip().splitlines()
        title = " ".join(line.removeprefix("--").strip() for line in lines if line.startswith("--"))
        for statement in "\n".join(line for line in lines if not line.startswith("--")).split(";"):
            if statement.strip():
                found.append((title, statement.strip()))
    return found


def filled(statement: str, variables: dict[str, str]) -> str:
    """The statement with a value in place of each `${name}`."""
    for name, value in variables.items():
        statement = statement.replace(f"${{{name}}}", value)
    require("${" not in statement, f"no value for a variable of: {statement}")
    return statement


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


def table(columns: list[str], rows: Answer, most: int = MOST) -> str:
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
