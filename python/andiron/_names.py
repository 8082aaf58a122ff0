"""What rows have in a column of versions, and the name that Spark's cast to string makes of it."""

from __future__ import annotations

import datetime
import json
import numbers
from decimal import Decimal
from typing import Any, Optional

EXACT = 1 << 53
"""Whole numbers below this are the same as floats."""
LONGEST = 60_000
"""The most bytes of JSON that a version's name takes; LeaseConnection.scala reads lines of 64 KiB."""


def flat(version: object) -> object:
    """The value itself, where pandas or Arrow has it wrapped: `groupby(["version"])` gives tuples of one, Arrow arrays give scalars."""
    if isinstance(version, tuple) and len(version) == 1:
        version = version[0]
    return version.as_py() if type(version).__module__.startswith("pyarrow.") and hasattr(version, "as_py") else version


def is_null(version: object) -> bool:
    """Whether it is None, or what pandas and numpy have in its place: NaN, NaT or NA."""
    kind = type(version)
    if kind.__module__.startswith("pandas.") and kind.__name__ in ("NAType", "NaTType"):
        return True
    scalar = isinstance(version, float) or kind.__module__ == "numpy" and kind.__name__ in ("float16", "float32", "datetime64")
    return version is None or scalar and version != version


def candidates(version: object) -> tuple[str, ...]:
    """The names that it may mean, most likely first; empty for what has none, as a timestamp, whose text depends on a time zone.

    A column of whole numbers with nulls is one of floats in pandas: 1.0 is "1.0", or "1" if the catalog has that.
    """
    if isinstance(version, str):
        return (str(version),)
    if isinstance(version, bool) or type(version).__name__ in ("bool_", "bool"):
        return ("true" if version else "false",)
    if isinstance(version, numbers.Integral):
        return (str(int(version)),)
    if isinstance(version, numbers.Real) and not isinstance(version, Decimal):
        return _of_float(version)
    if isinstance(version, Decimal):
        return (str(version),) if version.is_finite() and "E" not in str(version) else ()
    if isinstance(version, datetime.date) and not isinstance(version, datetime.datetime):
        return (version.isoformat(),)
    if type(version).__name__ == "datetime64" and str(getattr(version, "dtype", "")) == "datetime64[D]":
        return (str(version),)
    return ()


def _of_float(version: Any) -> tuple[str, ...]:
    """As Java writes it, where Java and Python write the same."""
    number = float(version)
    if not (number == 0 or 1e-3 <= abs(number) < EXACT):
        return ()
    written = (str(version),) if abs(number) < 1e7 else ()
    return (*written, str(int(number))) if number.is_integer() else written


def shown(name: object) -> str:
    """The text for messages: without surrogates, which no log takes, and short."""
    text = str(name).encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= 200 else f"{text[:100]}... ({len(text)} characters)"


def fault(name: str) -> Optional[str]:
    """Why this cannot name anything that the JVM knows too; None if it can."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return "has surrogates, which are no characters: it was decoded with another encoding than its own"
    return f"has {len(name)} characters, more than a worker can ask for" if len(json.dumps(name)) > LONGEST else None
