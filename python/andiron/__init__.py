"""Andiron for PySpark: versions of large side data, once in each executor and mapped by its Python workers, and steps that count rows once.

    import andiron

    catalog = andiron.catalog(spark, "video-metadata", {"2020-06-01": "s3a://metadata/2020-06-01.bin"})

    def features(batches):
        with catalog.cursor() as cursor:
            for batch in batches:                                  # a pandas.DataFrame, sorted by version
                for version, rows in batch.groupby("version"):
                    metadata = cursor.advance(version)             # leased by the task, mapped read-only
                    yield rows.assign(genre=metadata.records(rows["offset"], "<i4"))

    members.sortWithinPartitions("version").mapInPandas(features, schema)

The jar does the work: start the application with it and with spark.plugins=andiron.AndironPlugin. docs/python.md says more.
"""

from andiron.bytes import Bytes
from andiron.catalog import Catalog, Version, catalog
from andiron.cursor import Cursor
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
    UnknownVersionError,
)
from andiron.gates import Gate, cache_stats, guard, report
from andiron.steps import Counter, Figures, Step

__version__ = "0.1.0"

__all__ = [
    "AndironError", "ArgumentError", "BudgetError", "Bytes", "Catalog", "ConnectError", "Counter", "Cursor", "Figures", "Gate", "GateError",
    "LoadError", "MetricsError", "OutOfBoundsError", "ReleasedError", "SettingError", "SourceError", "Step", "StoreError",
    "UnknownVersionError", "Version", "cache_stats", "catalog", "guard", "report",
]
