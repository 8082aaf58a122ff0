"""Figures, each a ratio or a difference of raw records of one run.

A figure has an id, a title, a value, a limit, a relation (`<=` or `>=`) of the value to the limit, and whether the relation holds.
Records are compared within a turn, and the value is the median over the turns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from statistics import median
from typing import Any

from harness.spark import Record

MB = 1 << 20


def figure(id: str, title: str, value: float, sense: str, limit: float, unit: str, note: str = "") -> Record:
    reached = value <= limit if sense == "<=" else value >= limit
    return {"id": id, "title": title, "value": round(value, 4), "sense": sense, "limit": round(limit, 4), "unit": unit,
            "reached": reached, "note": note}


def series(records: Iterable[Record], name: str, value: Callable[[Record], Any] = lambda record: record) -> dict[Any, dict[int, Any]]:
    """The value of each record, by the content of its field `name` and by its turn."""
    found: dict[Any, dict[int, Any]] = {}
    for record in records:
        found.setdefault(record[name], {})[record["turn"]] = value(record)
    return found


def paired(mine: Mapping[int, Any], other: Mapping[int, Any], compare: Callable[[Any, Any], float] = lambda mine, other: mine / other) -> float:
    """The median over the turns of a comparison, by default the ratio."""
    return float(median(compare(value, other[turn]) for turn, value in mine.items()))


def spread(values: Iterable[float], digits: int) -> str:
    """The smallest and the largest value."""
    low, *_, high = sorted([*values] * 2)
    return f"{low:.{digits}f} to {high:.{digits}f}"
