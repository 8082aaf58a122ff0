"""Conversion of a step function's results to Python's own types: PySpark does not convert numpy's numbers, and would
fail the task."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql.types import DataType

Convert = Callable[[Any], Any]


def plain(kind: DataType) -> Convert:
    """A function that replaces numpy's numbers in a value of this type by Python's. Other values stay unchanged."""
    convert = _of(kind)
    # Without an import of numpy there are no values of it.
    return lambda value: convert(value) if "numpy" in sys.modules else value


def _of(kind: DataType) -> Convert:
    from pyspark.sql.types import ArrayType, MapType, StructType

    if isinstance(kind, StructType):
        return _struct(kind.names, [_of(field.dataType) for field in kind.fields])
    if isinstance(kind, ArrayType):
        element = _of(kind.elementType)
        return lambda value: [element(one) for one in _scalar(value)] if isinstance(value, (list, tuple)) or _is_array(value) else value
    if isinstance(kind, MapType):
        key, item = _of(kind.keyType), _of(kind.valueType)
        return lambda value: {key(one): item(other) for one, other in value.items()} if isinstance(value, dict) else value
    return _scalar


def _struct(names: list[str], fields: list[Convert]) -> Convert:
    by_name = dict(zip(names, fields))

    def convert(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: by_name.get(name, _scalar)(item) for name, item in value.items()}
        if isinstance(value, (tuple, list)) and len(value) == len(fields) and not getattr(value, "__from_dict__", False):
            made = tuple(field(item) for field, item in zip(fields, value))
            return value if all(new is old for new, old in zip(made, value)) else made
        return convert(vars(value)) if not isinstance(value, (tuple, list)) and hasattr(value, "__dict__") else value

    return convert


def _is_array(value: Any) -> bool:
    return type(value).__module__ == "numpy" and type(value).__name__ == "ndarray"


def _scalar(value: Any) -> Any:
    return value.tolist() if type(value).__module__ == "numpy" and hasattr(value, "tolist") else value
