"""The main job in Python: delay features of every flight, computed in mapInPandas from versions that the executors share.

    spark-submit demo/flights.py DATA VERSIONS OUT

The step `labels` counts all flights, the step `features` those with features; a gate checks `features`. The workers need andiron, pandas,
pyarrow and numpy. demo/python.py starts this program and compares the digest.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import andiron
import numpy as np
import pandas as pd
from pyspark.sql import SparkSession

NONE = -9999
HEADER = np.dtype([("magic", "S8"), ("month", "<i4"), ("records", "<i4", 3), ("starts", "<i8", 3), ("pages_at", "<i8"), ("pages", "<i8")])
RECORD = np.dtype([("key", "<i8"), ("values", "<i4", 4)])
FLIGHT = "id int, version string, origin string, hour int, tailnum string, dest string, dep_delay int, arr_delay int, distance int"


class Metadata:
    """The tables of one version, read from the mapped file. demo/layout.py defines the layout."""

    def __init__(self, file: andiron.Bytes) -> None:
        header = file.numpy(HEADER, 0, 1)[0]
        if header["magic"] != b"ANDMETA1":
            raise ValueError(f"{file} does not start with ANDMETA1")
        self.month = int(header["month"])
        self.weather, self.planes, self.airports = (
            file.numpy(RECORD, start, count) for start, count in zip(header["starts"], header["records"], strict=True))


def text_keys(texts: pd.Series) -> np.ndarray:
    """Texts of at most seven ASCII characters as the numeric keys of a version's tables."""
    known = {text: int.from_bytes(text.encode("ascii"), "big") for text in texts.unique()}
    return texts.map(known).to_numpy("i8")


def found(table: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """The four values of each key; NONE for keys that the table does not have."""
    at = np.minimum(np.searchsorted(table["key"], keys), len(table) - 1)
    values = table["values"][at]
    values[table["key"][at] != keys] = NONE
    return values


def features(flights: pd.DataFrame, metadata: Metadata) -> np.ndarray:
    """The columns of demo/features.py, one row per flight."""
    dep, arr = flights["dep_delay"].to_numpy("i4"), flights["arr_delay"].to_numpy("i4")
    temp, wind, visib, precip = found(metadata.weather, text_keys(flights["origin"]) << 16 | flights["hour"].to_numpy("i8")).T
    year, seats, engines, plane_flights = found(metadata.planes, text_keys(flights["tailnum"])).T
    altitude, zone, airport_flights, _ = found(metadata.airports, text_keys(flights["dest"])).T
    recovered = np.where((dep == NONE) | (arr == NONE), NONE, dep - arr)
    delay = np.select([dep == NONE, dep < 15, dep < 60], [0, 1, 2], 3)
    weather = np.select([visib == NONE, wind >= 250, visib < 30, precip > 0], [0, 4, 3, 2], 1)
    age = np.where(year == NONE, NONE, 2013 - year)
    altitude_class = np.where(altitude == NONE, -1, np.maximum(altitude, 0) // 1000)
    exposure = delay * 100_000 + weather * 10_000 + np.where(age == NONE, 0, np.minimum(age, 99)) * 100 + np.maximum(plane_flights, 0) % 100
    month = np.full(len(flights), metadata.month)
    return np.stack([
        flights["id"].to_numpy("i4"), month, dep, arr, recovered, delay, temp, wind, visib, precip, weather, age, seats, engines, plane_flights,
        altitude, altitude_class, zone, airport_flights, flights["distance"].to_numpy("i4") // 500, exposure], axis=1)


def main(data: str, versions: str, out: str) -> None:
    spark = SparkSession.builder.appName("flight features in Python").getOrCreate()
    try:
        sources = {path.stem: path for path in sorted(Path(versions).glob("*.bin"))}
        with (andiron.catalog(spark, "nyc-metadata", sources) as catalog, andiron.Step(spark, "labels") as labels,
              andiron.Step(spark, "features") as featured):

            def lines(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
                with catalog.cursor() as cursor:
                    for batch in batches:
                        for version, flights in batch.groupby("version", dropna=False):
                            rows = features(flights.fillna({"tailnum": "", "dest": ""}), Metadata(cursor.advance(version)))
                            yield pd.DataFrame({"value": [",".join(map(str, row)) for row in rows.tolist()]})

            gate = andiron.Gate(featured, max_drop_ratio=0.01, min_rows=1000)
            flights = labels.count(spark.read.schema(FLIGHT).csv(f"{data}/flights"))
            with andiron.guard(gate):
                featured.count(flights.sortWithinPartitions("version").mapInPandas(lines, "value string")).write.text(out)
            for step in (labels, featured):
                print(f"step: {step.name} {step.figures['in']} in, {step.figures['dropped']} dropped, exact {step.figures.exact}")
        leases = sum(told["figures"].get("leases", 0) for told in andiron.cache_stats(spark))
        loads = sum(told["figures"].get("loads", 0) for told in andiron.cache_stats(spark))
        print(f"leases left: {leases}, loads: {loads}")
    finally:
        spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
