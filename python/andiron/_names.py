"""Values in a column of versions, and the names that Spark's cast to string gives them."""

from __future__ import annotations

import datetime
import json
import numbers
from decimal import Decimal
from typing import Any, Optional

EXACT = 1 << 53
"""Floats represent every whole number below this exactly."""
LONGEST = 60_000
"""The limit of a version's name in bytes of JSON; LeaseConnection.scala reads lines of 64 KiB."""


def flat(version: object) -> object:
    """The value without a wrapper of pandas or Arrow: `groupby(["version"])` gives tuples of one, Arrow arrays give
    scalars."""
    if isinstance(version, tuple) and len(version) == 1:
        version = version[0]
    return version.as_py() if type(version).__module__.startswith("pyarrow.") and hasattr(version, "as_py") else version


def is_null(version: object) -> bool:
    """Whether it is None, or the null of pandas and numpy: NaN, NaT or NA."""
    kind = type(version)
    if kind.__module__.startswith("pandas.") and kind.__name__ in ("NAType", "NaTType"):
        return True
    scalar = isinstance(version, float) or kind.__module__ == "numpy" and kind.__name__ in ("float16", "float32", "datetime64")
    return version is None or scalar and version != version


def candidates(version: object) -> tuple[str, ...]:
    """The names that a value may stand for, the most likely first. Empty for values without a name, such as a
    timestamp, whose text depends on a time zone.

    In pandas a column of whole numbers with nulls has floats: 1.0 stands for "1.0", or for "1" if the catalog has that.
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
    """The names of a float, if Java and Python write it alike."""
    number = float(version)
    if not (number == 0 or 1e-3 <= abs(number) < EXACT):
        return ()
    written = (str(version),) if abs(number) < 1e7 else ()
    return (*written, str(int(number))) if number.is_integer() else written


def shown(name: object) -> str:
    """The text for messages: short, and without surrogates, which logs cannot encode."""
    text = str(name).encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= 200 else f"{text[:100]}... ({len(text)} characters)"


def fault(name: str) -> Optional[str]:
    """Why the JVM cannot use this name; None if it can."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return "has surrogates, which are not characters: it was decoded with a wrong encoding"
    return f"has {len(name)} characters, more than a worker can request" if len(json.dumps(name)) > LONGEST else None
