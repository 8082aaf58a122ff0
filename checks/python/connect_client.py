"""A client of Spark Connect: `python connect_client.py URI` prints as JSON the calls that work and the error of each call of Andiron."""

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import andiron
import pandas as pd
from pyspark.sql import SparkSession


def raised(action: Callable[[], Any]) -> list[str]:
    """The class and the message of the exception that `action` raises."""
    try:
        action()
    except Exception as error:
        return [type(error).__name__, str(error)]
    return ["nothing", ""]


def double(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    for batch in batches:
        yield batch * 2


def main(uri: str) -> None:
    spark = SparkSession.builder.remote(uri).getOrCreate()
    rows = spark.range(1000)
    step = andiron.Step.__new__(andiron.Step)
    step.name = "connect"
    told = {
        "sum": sum(row.id for row in rows.mapInPandas(double, "id long").collect()),
        "catalog": raised(lambda: andiron.catalog(spark, "planes", {"v1": "file:/x"})), "step": raised(lambda: andiron.Step(spark, "history")),
        "report": raised(lambda: andiron.report(spark)), "cache_stats": raised(lambda: andiron.cache_stats(spark)),
        "map": raised(lambda: step.map(rows, lambda row: row, rows.schema)), "filter": raised(lambda: step.filter(rows, bool)),
    }
    spark.stop()
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1])
