"""Andiron for PySpark: large versioned side data, loaded once in each executor and mapped by its Python workers, and
steps that count rows exactly once.

    import andiron

    catalog = andiron.catalog(spark, "video-metadata", {"2020-06-01": "s3a://metadata/2020-06-01.bin"})

    def features(batches):
        with catalog.cursor() as cursor:
            for batch in batches:                                  # a pandas.DataFrame, sorted by version
                for version, rows in batch.groupby("version", dropna=False):
                    metadata = cursor.advance(version)             # leased by the task, mapped read-only
                    yield rows.assign(genre=metadata.records(rows["offset"], "<i4"))

    members.sortWithinPartitions("version").mapInPandas(features, schema)

The package needs the jar: start the application with it (`andiron.artifact()`, `python -m andiron`) and with
spark.plugins=andiron.AndironPlugin. docs/guide/python.md has the details.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from andiron._artifact import artifact
    from andiron._bytes import Bytes
    from andiron._catalog import Catalog
    from andiron._cursor import Cursor
    from andiron._gates import Gate, cache_stats, cache_totals, failures, guard, report
    from andiron._steps import Counter, Figures, Step
    from andiron._table import Table, lookup, table
    from andiron._versions import Version, catalog
    from andiron.errors import (
        AndironError,
        ArgumentError,
        BudgetError,
        ConnectError,
        GateError,
        LoadError,
        MetricsError,
        OutOfBoundsError,
        ReleasedError,
        SettingError,
        SourceError,
        StoreError,
        TableError,
        UnknownVersionError,
    )

__version__ = "0.1.0"

__all__ = [
    "AndironError", "ArgumentError", "BudgetError", "Bytes", "Catalog", "ConnectError", "Counter", "Cursor", "Figures", "Gate", "GateError",
    "LoadError", "MetricsError", "OutOfBoundsError", "ReleasedError", "SettingError", "SourceError", "Step", "StoreError",
    "Table", "TableError", "UnknownVersionError", "Version", "artifact", "cache_stats", "cache_totals", "catalog", "failures", "guard", "lookup",
    "report", "table",
]

_MODULES = {
    "_artifact": ("artifact",), "_bytes": ("Bytes",), "_catalog": ("Catalog",), "_cursor": ("Cursor",),
    "_gates": ("Gate", "cache_stats", "cache_totals", "failures", "guard", "report"),
    "_steps": ("Counter", "Figures", "Step"), "_table": ("Table", "lookup", "table"), "_versions": ("Version", "catalog"),
}


def __getattr__(name: str) -> Any:
    """A public name, imported on first use: each worker imports the package, and needs little of it."""
    if name not in __all__:
        raise AttributeError(f"module 'andiron' has no attribute {name!r}")
    from importlib import import_module

    module = next((module for module, names in _MODULES.items() if name in names), "errors")
    value = getattr(import_module(f"andiron.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
